import { z } from 'zod';

import { collection } from '../store/collection.ts';
import { Timestamp } from '../time.ts';
import { type Breaker, CLOSED } from './breaker.ts';
import { type PackedLatencies, mergePacked, quantile } from './histogram.ts';
import { type ExecutionKey, keyId } from './key.ts';
import { REASON_CODES, type ReasonCode } from './reasons.ts';

const HOUR_MS = 3_600_000;
export const SLOT_MS = 5 * 60_000;
/** An instance that has not flushed for so long is taken for gone. */
const INSTANCE_GONE_MS = 15 * 60_000;
/** After it nothing that a flush could still bring would count; a slot more, for clocks that differ. */
const FLUSH_KEPT_MS = HOUR_MS + SLOT_MS;

const Count = z.int().nonnegative();

/** The attempts of five minutes. */
const HealthWindow = z.object({
  start: Timestamp,
  succeeded: Count,
  failed: Count,
  /** A packed histogram of milliseconds. */
  latencies: z.array(Count),
});
type HealthWindow = z.infer<typeof HealthWindow>;

/** A breaker as documents keep it. */
export const StoredBreaker = z.object({
  breaker_state: z.enum(['closed', 'open', 'half_open']),
  consecutive_failures: Count,
  breaker: z.object({
    epoch: Count,
    open_until: Timestamp.nullable(),
    /** When each probe slot expires. */
    probes: z.record(z.string(), Timestamp),
    probe_successes: Count,
    reopenings: Count,
    /** Who opened it, until somebody releases it. */
    forced: z.object({ by: z.string(), reason: z.string(), at: Timestamp }).nullable(),
    not_before: Timestamp.nullable(),
    failing_tenants: z.array(z.string()),
  }),
});
export type StoredBreaker = z.infer<typeof StoredBreaker>;

/** The columns of the specification, and what they are computed from. Id: `keyId`. */
export const ProviderHealthState = z.object({
  id: z.string(),
  tenant_id: z.string(),
  provider_name: z.string(),
  capability: z.string(),
  ...StoredBreaker.shape,
  /** The rates are those of `updated_at`; `ratesAt` tells those of now. */
  success_rate_1h: z.number().min(0).max(1).nullable(),
  p95_latency_ms_1h: z.number().nonnegative().nullable(),
  last_error_code: z.enum(REASON_CODES).nullable(),
  last_error_at: Timestamp.nullable(),
  last_success_at: Timestamp.nullable(),
  updated_at: Timestamp,
  /** Those of the last hour, oldest first. */
  windows: z.array(HealthWindow),
  /** The last flush of each instance, so that none is counted twice. */
  flushes: z.record(z.string(), z.object({ seq: Count, at: Timestamp })),
});
export type ProviderHealthState = z.infer<typeof ProviderHealthState>;

export const healthStates = collection('provider_health_states', ProviderHealthState);

/** What one instance counted since its last flush. A repetition brings the same under the same `seq`. */
export interface HealthFlush {
  readonly instanceId: string;
  /** Grows with every flush of the instance. */
  readonly seq: number;
  readonly samples: readonly HealthSample[];
  readonly lastError: { readonly code: ReasonCode; readonly atMs: number } | null;
  readonly lastSuccessAtMs: number | null;
}

interface HealthSample {
  /** `slotStartMs` of the time of the attempts. */
  readonly slotStartMs: number;
  readonly succeeded: number;
  readonly failed: number;
  readonly latencies: PackedLatencies;
}

/** The start of the five minutes that hold `atMs`, in milliseconds since 1970. */
export const slotStartMs = (atMs: number): number => Math.floor(atMs / SLOT_MS) * SLOT_MS;

/** The state of a key that nothing is known about. */
export const newHealthState = (key: ExecutionKey, at: Date): ProviderHealthState => ({
  id: keyId(key),
  tenant_id: key.tenantId,
  provider_name: key.providerName,
  capability: key.capability,
  breaker_state: CLOSED.state,
  consecutive_failures: CLOSED.consecutiveFailures,
  success_rate_1h: null,
  p95_latency_ms_1h: null,
  last_error_code: null,
  last_error_at: null,
  last_success_at: null,
  updated_at: at.toISOString(),
  breaker: {
    epoch: CLOSED.epoch,
    open_until: null,
    probes: {},
    probe_successes: 0,
    reopenings: 0,
    forced: null,
    not_before: null,
    failing_tenants: [],
  },
  windows: [],
  flushes: {},
});

/** The breaker of a document; that of an unknown key is closed. */
export function breakerOf(doc: StoredBreaker | null): Breaker {
  if (!doc) return CLOSED;
  const { breaker } = doc;
  return {
    state: doc.breaker_state,
    epoch: breaker.epoch,
    consecutiveFailures: doc.consecutive_failures,
    openUntilMs: msOf(breaker.open_until),
    probes: mapValues(breaker.probes, Date.parse),
    probeSuccesses: breaker.probe_successes,
    reopenings: breaker.reopenings,
    forced: breaker.forced !== null,
    notBeforeMs: msOf(breaker.not_before),
    failingTenants: breaker.failing_tenants,
  };
}

/**
 * The state with another breaker.
 *
 * @param at the store's clock
 * @param forcedBy who forces the breaker open and why; those of before when absent
 */
export function withBreaker(
  doc: ProviderHealthState,
  breaker: Breaker,
  at: Date,
  forcedBy?: { readonly by: string; readonly reason: string },
): ProviderHealthState {
  return asOf({ ...doc, ...storedBreaker(breaker, at, doc.breaker.forced, forcedBy) }, at);
}

/**
 * A breaker as documents keep it.
 *
 * @param forced who forced it open so far
 * @param forcedBy who does so now
 */
export function storedBreaker(
  breaker: Breaker,
  at: Date,
  forced: StoredBreaker['breaker']['forced'],
  forcedBy?: { readonly by: string; readonly reason: string },
): StoredBreaker {
  const given = forcedBy && { ...forcedBy, at: at.toISOString() };
  return {
    breaker_state: breaker.state,
    consecutive_failures: breaker.consecutiveFailures,
    breaker: {
      epoch: breaker.epoch,
      open_until: isoOf(breaker.openUntilMs),
      probes: mapValues(breaker.probes, (expiresAtMs) => new Date(expiresAtMs).toISOString()),
      probe_successes: breaker.probeSuccesses,
      reopenings: breaker.reopenings,
      forced: breaker.forced ? (given ?? forced ?? byNobody(at)) : null,
      not_before: isoOf(breaker.notBeforeMs),
      failing_tenants: [...breaker.failingTenants],
    },
  };
}

/** Only where a caller forgot to say who: the breaker must stay forced all the same. */
const byNobody = (at: Date) => ({ by: 'unknown', reason: '', at: at.toISOString() });

/**
 * The state with what one instance counted. A flush that was counted before changes nothing, so one
 * whose commit is in doubt is simply sent again; and the windows are the same in whatever order the
 * flushes of several instances come. What began over an hour ago is dropped.
 *
 * @param at the store's clock; attempts of an instance whose clock is ahead count as of now
 */
export function foldFlush(
  doc: ProviderHealthState,
  flush: HealthFlush,
  at: Date,
): { doc: ProviderHealthState; applied: boolean } {
  const counted = doc.flushes[flush.instanceId];
  if (counted && flush.seq <= counted.seq) return { doc, applied: false };
  const flushed = {
    ...doc,
    ...latestError(doc, flush.lastError),
    last_success_at: isoOf(latest(msOf(doc.last_success_at), flush.lastSuccessAtMs)),
    windows: withSamples(doc.windows, flush.samples, at),
    flushes: { ...doc.flushes, [flush.instanceId]: { seq: flush.seq, at: at.toISOString() } },
  };
  return { doc: asOf(flushed, at), applied: true };
}

/** Of two errors at one time the greater code stays, so that their order does not matter. */
function latestError(
  doc: Pick<ProviderHealthState, 'last_error_code' | 'last_error_at'>,
  error: HealthFlush['lastError'],
): Pick<ProviderHealthState, 'last_error_code' | 'last_error_at'> {
  const { last_error_code, last_error_at } = doc;
  const knownMs = msOf(last_error_at) ?? -Infinity;
  if (
    error === null ||
    error.atMs < knownMs ||
    (error.atMs === knownMs && error.code <= (last_error_code ?? ''))
  )
    return { last_error_code, last_error_at };
  return { last_error_code: error.code, last_error_at: isoOf(error.atMs) };
}

const latest = (a: number | null, b: number | null): number | null =>
  a === null || b === null ? (a ?? b) : Math.max(a, b);

function withSamples(
  windows: readonly HealthWindow[],
  samples: readonly HealthSample[],
  at: Date,
): HealthWindow[] {
  const byStart = new Map(windows.map((window) => [window.start, window]));
  for (const sample of samples) {
    const startMs = Math.min(slotStartMs(sample.slotStartMs), slotStartMs(at.getTime()));
    const start = new Date(startMs).toISOString();
    const window = byStart.get(start);
    byStart.set(start, {
      start,
      succeeded: (window?.succeeded ?? 0) + sample.succeeded,
      failed: (window?.failed ?? 0) + sample.failed,
      latencies: mergePacked(window?.latencies ?? [], sample.latencies),
    });
  }
  return [...byStart.values()].toSorted((a, b) => (a.start < b.start ? -1 : 1));
}

/** The state without what is too old to count at `at`, its rates computed anew. */
function asOf(doc: ProviderHealthState, at: Date): ProviderHealthState {
  return {
    ...doc,
    ...ratesAt(doc, at),
    updated_at: at.toISOString(),
    windows: recent(doc.windows, at),
    flushes: Object.fromEntries(
      Object.entries(doc.flushes).filter(
        ([, flush]) => Date.parse(flush.at) > at.getTime() - FLUSH_KEPT_MS,
      ),
    ),
  };
}

/** How many instances have flushed lately: the more there are, the rarer each may. */
export const instancesOf = ({ flushes }: Pick<ProviderHealthState, 'flushes'>, at: Date): number =>
  Object.values(flushes).filter((flush) => Date.parse(flush.at) > at.getTime() - INSTANCE_GONE_MS)
    .length;

/** The rates of the windows that began within the hour before `at`; null where nothing was counted. */
export function ratesAt(
  { windows }: Pick<ProviderHealthState, 'windows'>,
  at: Date,
): Pick<ProviderHealthState, 'success_rate_1h' | 'p95_latency_ms_1h'> {
  const counted = recent(windows, at);
  const succeeded = counted.reduce((sum, window) => sum + window.succeeded, 0);
  const all = counted.reduce((sum, window) => sum + window.failed, succeeded);
  const latencies = counted.reduce<PackedLatencies>(
    (merged, window) => mergePacked(merged, window.latencies),
    [],
  );
  return {
    success_rate_1h: all === 0 ? null : succeeded / all,
    p95_latency_ms_1h: quantile(latencies, 0.95),
  };
}

const recent = (windows: readonly HealthWindow[], at: Date): HealthWindow[] =>
  windows.filter(({ start }) => Date.parse(start) > at.getTime() - HOUR_MS);

const msOf = (time: string | null): number | null => (time === null ? null : Date.parse(time));

const isoOf = (ms: number | null): string | null =>
  ms === null ? null : new Date(ms).toISOString();

const mapValues = <A, B>(
  record: Readonly<Record<string, A>>,
  map: (value: A) => B,
): Record<string, B> =>
  Object.fromEntries(Object.entries(record).map(([key, value]) => [key, map(value)]));
