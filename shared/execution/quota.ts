import { z } from 'zod';

import { derivedId } from '../ids.ts';
import { type Ref, collection, idOf, ref } from '../store/collection.ts';
import { Timestamp } from '../time.ts';
import { type ExecutionKey, keyId } from './key.ts';
import { QUOTA_WINDOWS, type QuotaPolicy } from './policy.ts';
import { type QuotaSpan, type QuotaSpans, windowsAt } from './quota-window.ts';

/*
 * Instances lease units in blocks, and report what they spent of one block when they ask for the next.
 * In every window, what was reported and what is leased never exceed the limit together. Whoever dies
 * with a lease is charged for all of it, since nobody knows what was spent.
 */

/** The document is written about this often, however many instances there are. */
const WRITES_PER_S = 0.5;
const PERIOD_MS_MIN = 5_000;
/** A lease lives for so many renewals. */
const LEASE_PERIODS = 3;
/** A holder that comes a moment late still reports; it has not used its lease in the meantime. */
const GRACE_MS = 2_000;
const KEPT_MS = 40 * 86_400_000;

const count = z.int().nonnegative();

const Columns = z.object({
  window_start: Timestamp,
  window_end: Timestamp,
  limit_count: count,
  /** Charged: what holders reported as spent or had calls waiting for, and all that dead ones had. */
  used_count: count,
  /** Of the limit; part of it is with `holders`. Zero where the limit was lowered below the use. */
  remaining_count: count,
  /** When a lease was last refused in this window. */
  last_exhausted_at: Timestamp.nullable(),
});
type Columns = z.infer<typeof Columns>;

const HeldLease = z.object({
  /** Of the last request that changed this lease: the same one again is answered and not applied. */
  seq: z.int().positive(),
  /** Leased and not reported as spent. */
  outstanding: count,
  /** What that request was granted. */
  granted: count,
  /** What it was charged for; negative for units that came back after that. */
  settled: z.int(),
  /** The end of the shortest window at the grant: no unit is used after it. */
  usable_until: Timestamp,
  expires_at: Timestamp,
});
type HeldLease = z.infer<typeof HeldLease>;

/**
 * A quota in one of its longest windows, which the columns are about. Every window that lies inside it
 * is in `windows`, so that a lease reads and writes one document.
 */
export const QuotaState = z.object({
  id: z.string(),
  tenant_id: z.string(),
  provider_name: z.string(),
  capability: z.string(),
  ...Columns.shape,
  updated_at: Timestamp,
  /** As they were at `updated_at`, longest first, the longest included. */
  windows: z.array(z.object({ window: z.enum(QUOTA_WINDOWS), ...Columns.shape })),
  holders: z.record(z.string(), HeldLease),
  /** The most holders at once in the shortest window of `updated_at`, and in the one before it. */
  holders_seen: count,
  holders_before: count,
  expire_at: z.date(),
});
export type QuotaState = z.infer<typeof QuotaState>;

export const quotaStates = collection('provider_quota_states', QuotaState);

/** @param longest the longest of the quota's windows */
export const quotaRef = (key: ExecutionKey, longest: QuotaSpan): Ref<QuotaState> =>
  ref(quotaStates, derivedId('qta', keyId(key), longest.window, isoOf(longest.startMs)));

/** How far apart a holder's renewals should be, when `holders` share the document. */
export const renewalPeriodMs = (holders: number): number =>
  Math.max(PERIOD_MS_MIN, (holders / WRITES_PER_S) * 1_000);

/** Whether so few units are asked for, by all holders together, that they are leased one by one. */
export const isSparse = (unitsPerS: number): boolean => unitsPerS <= WRITES_PER_S;

export interface LeaseRequest {
  readonly key: ExecutionKey;
  readonly policy: QuotaPolicy;
  /** The start of the longest window, whose document this is. */
  readonly documentStartMs: number;
  readonly holder: {
    readonly id: string;
    /** One more for each request that was answered; the same when the answer was not heard. */
    readonly seq: number;
    /** Units of the current lease that were spent and not reported yet, less those that came back. */
    readonly spent: number;
    /** The holder takes nothing more from its current lease, if it has one. */
    readonly sealed: boolean;
    readonly want: number;
    /** How long that should last. If the holder dies, its lease is missing for three times as long. */
    readonly periodMs: number;
    /** Calls that wait for a unit each: what they get is charged at once, and need not be reported. */
    readonly waiting: number;
    /** Holders it has last heard of: what a new document begins with. */
    readonly peers: number;
  };
}

export interface QuotaRefusal {
  readonly untilMs: number;
  /** Units that others hold may come back before that. */
  readonly mayEase: boolean;
}

/** A request that was decided. Times are the store's. */
export interface Lease {
  readonly kind: 'lease';
  readonly row: QuotaState;
  /** Whether `row` is to be written. */
  readonly changed: boolean;
  /** Units granted; at most `want`. */
  readonly granted: number;
  /** What was charged, or is charged elsewhere: no more to be reported. */
  readonly settled: number;
  /** All that the holder may spend from now on and report, with what it had before. */
  readonly outstanding: number;
  /** The earlier of these ends the lease. */
  readonly windowEndMs: number;
  readonly expiresAtMs: number;
  /** To size the next request by. */
  readonly holders: number;
  /** To size the first request to a new document by. */
  readonly peers: number;
  /** Set when nothing is free. */
  readonly refused: QuotaRefusal | null;
}

/**
 * Nothing was decided: by the store's clock it is another document's time, or the window has ended of a
 * lease that was not sealed.
 */
interface Untimely {
  readonly kind: 'untimely';
}

const UNTIMELY: Untimely = { kind: 'untimely' };

/** One window while a request is decided. */
interface Tally {
  readonly span: QuotaSpan;
  readonly startsAt: string;
  used: number;
  /** With other holders. */
  leased: number;
  lastExhaustedAt: string | null;
  /** False for a window that only another version of the policy limits. */
  readonly enforced: boolean;
}

/** The longest window's first. */
type Tallies = readonly [Tally, ...Tally[]];

/**
 * Reports what a holder spent and leases more: `want`, but at most its share of half of what is free,
 * and at least one unit of that.
 *
 * @param row null when the document does not exist
 * @param nowMs the store's clock at the read
 */
export function lease(
  row: QuotaState | null,
  request: LeaseRequest,
  nowMs: number,
): Lease | Untimely {
  const { key, policy, holder } = request;
  const atMs = row ? Math.max(nowMs, Date.parse(row.updated_at)) : nowMs;
  const spans = windowsAt(policy, atMs);
  if (spans[0].startMs !== request.documentStartMs) return UNTIMELY;
  const own = row?.holders[holder.id];
  if (row && own?.seq === holder.seq) return replayOf(row, own, atMs);
  const shortest = spans.at(-1) ?? spans[0];
  const isOver = own !== undefined && !isUsedIn(own, isoOf(shortest.startMs));
  if (own && (own.seq > holder.seq || (isOver && !holder.sealed))) return UNTIMELY;

  const tallies = talliesOf(row, spans, atMs);
  const others = othersOf(row, holder.id, tallies, atMs);
  const crowd = crowdOf(row, shortest, others.length + 1, holder.peers, atMs);
  if (own) charge(tallies, own, holder.spent);
  const kept = own && !isOver ? Math.max(0, own.outstanding - holder.spent) : 0;
  const enforced = tallies.filter((tally) => tally.enforced);
  const freeIn = ({ span, used, leased }: Tally) => Math.max(0, span.limit - used - leased - kept);
  const free = Math.min(...enforced.map(freeIn));
  const share = Math.max(1, Math.floor(free / (2 * crowd.holders)));
  const granted = Math.min(holder.want, share, free);
  const exhausted = granted > 0 ? [] : enforced.filter((tally) => freeIn(tally) === 0);
  const used = Math.min(holder.waiting, granted);
  for (const tally of tallies) tally.used += used;

  const settled = holder.spent + used;
  const isReport = own !== undefined && (holder.spent !== 0 || (isOver && own.outstanding > 0));
  const held =
    granted > 0 || isReport
      ? {
          seq: holder.seq,
          outstanding: kept + granted - used,
          granted,
          settled,
          usable_until: isoOf(shortest.endMs),
          expires_at: isoOf(atMs + LEASE_PERIODS * periodMsOf(holder, crowd)),
        }
      : own;
  const isNews = noteExhaustion(exhausted, atMs);
  const changed = held !== own || isNews || row === null;
  return {
    kind: 'lease',
    row: changed
      ? {
          ...rowOf(row?.id ?? idOf(quotaRef(key, spans[0])), key, tallies, atMs),
          holders: Object.fromEntries(held ? [...others, [holder.id, held]] : others),
          holders_seen: crowd.seen,
          holders_before: crowd.before,
        }
      : row,
    changed,
    granted,
    settled,
    outstanding: held?.outstanding ?? 0,
    windowEndMs: held ? Date.parse(held.usable_until) : shortest.endMs,
    expiresAtMs: held ? Date.parse(held.expires_at) : atMs,
    holders: crowd.holders,
    peers: crowd.live,
    refused: exhausted.length > 0 ? refusalOf(exhausted) : null,
  };
}

/**
 * Reports what a holder spent, takes the rest of its lease back and forgets it.
 *
 * @param holder as in a request for a lease; the `seq` of one that was not answered, or one more
 */
export function leave(
  row: QuotaState | null,
  holder: Pick<LeaseRequest['holder'], 'id' | 'seq' | 'spent'>,
  nowMs: number,
): { readonly row: QuotaState | null; readonly changed: boolean } {
  const own = row?.holders[holder.id];
  if (!row || !own) return { row, changed: false };
  // The request without an answer was applied, and reported a part.
  const spent = own.seq === holder.seq ? holder.spent - own.settled : holder.spent;
  const { [holder.id]: _, ...holders } = row.holders;
  return {
    row: {
      ...withSpent(row, spent),
      windows: row.windows.map((state) =>
        isUsedIn(own, state.window_start) ? withSpent(state, spent) : state,
      ),
      holders,
      updated_at: isoOf(Math.max(nowMs, Date.parse(row.updated_at))),
    },
    changed: true,
  };
}

/** The answer that was not heard. Where it granted nothing, it is not known why: ask again. */
function replayOf(row: QuotaState, own: HeldLease, atMs: number): Lease {
  const at = isoOf(atMs - GRACE_MS);
  const live = Object.values(row.holders).filter((held) => held === own || !isGone(held, at));
  return {
    kind: 'lease',
    row,
    changed: false,
    granted: own.granted,
    settled: own.settled,
    outstanding: own.outstanding,
    windowEndMs: Date.parse(own.usable_until),
    expiresAtMs: Date.parse(own.expires_at),
    holders: live.length,
    peers: live.length,
    refused: null,
  };
}

const isoOf = (ms: number): string => new Date(ms).toISOString();

/** Whether units of this lease may be used in a window, which is not over yet. */
const isUsedIn = (held: HeldLease, startsAt: string): boolean => held.usable_until > startsAt;

/** @param at the time less the grace, as stored times are written */
const isGone = (held: HeldLease, at: string): boolean => held.expires_at < at;

/** Charges every window in which units of this lease may have been used. */
function charge(tallies: readonly Tally[], held: HeldLease, units: number): void {
  for (const tally of tallies)
    if (isUsedIn(held, tally.startsAt)) tally.used = Math.max(0, tally.used + units);
}

/**
 * The policy's windows with what was used in them, and those that another version of the policy counts:
 * while two versions run side by side, each finds its counts again.
 */
function talliesOf(
  row: QuotaState | null,
  [longest, ...shorter]: QuotaSpans,
  atMs: number,
): Tallies {
  // One that began at another moment, since the zone was changed, still counts for what it overlaps.
  const current = (row?.windows ?? []).filter(({ window_end }) => Date.parse(window_end) > atMs);
  const tally = (span: QuotaSpan, enforced: boolean): Tally => {
    const state = current.find(({ window }) => window === span.window);
    return {
      span,
      startsAt: isoOf(span.startMs),
      used: state?.used_count ?? 0,
      leased: 0,
      lastExhaustedAt: state?.last_exhausted_at ?? null,
      enforced,
    };
  };
  const foreign = current.flatMap(({ window, window_start, window_end, limit_count }) =>
    [longest, ...shorter].some((span) => span.window === window)
      ? []
      : [
          {
            window,
            startMs: Date.parse(window_start),
            endMs: Date.parse(window_end),
            limit: limit_count,
          },
        ],
  );
  return [
    tally(longest, true),
    ...shorter.map((span) => tally(span, true)),
    ...foreign.map((span) => tally(span, false)),
  ];
}

/** The other holders that live; who died is charged, and left out. Tells the tallies. */
function othersOf(
  row: QuotaState | null,
  ownId: string,
  tallies: readonly Tally[],
  atMs: number,
): [id: string, HeldLease][] {
  const at = isoOf(atMs - GRACE_MS);
  return Object.entries(row?.holders ?? {}).filter(([id, held]) => {
    if (id === ownId) return false;
    const gone = isGone(held, at);
    if (gone) charge(tallies, held, held.outstanding);
    else
      for (const tally of tallies)
        if (isUsedIn(held, tally.startsAt)) tally.leased += held.outstanding;
    return !gone;
  });
}

interface Crowd {
  /** To reckon with. */
  readonly holders: number;
  /** Known to live. */
  readonly live: number;
  /** The most in the shortest window so far. */
  readonly seen: number;
  /** The most in the one before. */
  readonly before: number;
}

/**
 * How many share the quota. Just after a rollover that is known from the window before: the first to
 * come must not take itself for the only one.
 */
function crowdOf(
  row: QuotaState | null,
  shortest: QuotaSpan,
  live: number,
  peers: number,
  atMs: number,
): Crowd {
  const startsAt = isoOf(shortest.startMs);
  const isRolled = !row?.windows.some(
    ({ window, window_start }) => window === shortest.window && window_start === startsAt,
  );
  const before = !row ? peers : isRolled ? row.holders_seen : row.holders_before;
  const seen = row && !isRolled ? Math.max(live, row.holders_seen) : live;
  const isEarly = atMs - shortest.startMs < renewalPeriodMs(before);
  return { holders: isEarly ? Math.max(live, before) : live, live, seen, before };
}

const periodMsOf = ({ periodMs }: LeaseRequest['holder'], { holders }: Crowd): number =>
  Math.max(PERIOD_MS_MIN, Math.min(periodMs, renewalPeriodMs(holders)));

/** Whether it is the first time in any of these windows. */
function noteExhaustion(exhausted: readonly Tally[], atMs: number): boolean {
  const isNews = exhausted.some(({ lastExhaustedAt }) => lastExhaustedAt === null);
  for (const tally of exhausted) tally.lastExhaustedAt = isoOf(atMs);
  return isNews;
}

function refusalOf(exhausted: readonly Tally[]): QuotaRefusal {
  const spent = exhausted.filter(({ leased }) => leased === 0);
  const binding = spent.length > 0 ? spent : exhausted;
  return {
    untilMs: Math.max(...binding.map(({ span }) => span.endMs)),
    mayEase: spent.length === 0,
  };
}

function rowOf(
  id: string,
  key: ExecutionKey,
  [longest, ...shorter]: Tallies,
  atMs: number,
): Omit<QuotaState, 'holders' | 'holders_seen' | 'holders_before'> {
  const rest = shorter.toSorted(
    (a, b) => QUOTA_WINDOWS.indexOf(b.span.window) - QUOTA_WINDOWS.indexOf(a.span.window),
  );
  return {
    id,
    tenant_id: key.tenantId,
    provider_name: key.providerName,
    capability: key.capability,
    ...columnsOf(longest),
    updated_at: isoOf(atMs),
    windows: [longest, ...rest].map((tally) => ({
      window: tally.span.window,
      ...columnsOf(tally),
    })),
    expire_at: new Date(longest.span.endMs + KEPT_MS),
  };
}

const columnsOf = ({ span, startsAt, used, lastExhaustedAt }: Tally): Columns => ({
  window_start: startsAt,
  window_end: isoOf(span.endMs),
  limit_count: span.limit,
  used_count: used,
  remaining_count: remainingOf(span.limit, used),
  last_exhausted_at: lastExhaustedAt,
});

function withSpent<Counted extends Columns>(counted: Counted, units: number): Counted {
  const used_count = Math.max(0, counted.used_count + units);
  return { ...counted, used_count, remaining_count: remainingOf(counted.limit_count, used_count) };
}

const remainingOf = (limit: number, used: number): number => Math.max(0, limit - used);
