import type { BreakerPolicy } from './policy.ts';
import type { Verdict } from './reasons.ts';

/**
 * A circuit breaker as a value: shared through the store, decided in memory. Times are milliseconds
 * since 1970. Every rule below answers with the very same value when nothing changes.
 */
export interface Breaker {
  readonly state: 'closed' | 'open' | 'half_open';
  /** Grows by one with every transition; a permit of another epoch changes nothing. */
  readonly epoch: number;
  /** Failures since the last success. */
  readonly consecutiveFailures: number;
  /** When the cooldown ends; null unless it is open, and where only an operator can end that. */
  readonly openUntilMs: number | null;
  /** Probe slots taken: id → when the slot expires by itself. Empty unless it is half open. */
  readonly probes: Readonly<Record<string, number>>;
  readonly probeSuccesses: number;
  /** Transitions from half open to open since it was last closed; sizes the cooldown. */
  readonly reopenings: number;
  /** Opened by an operator; only an operator's release ends it. */
  readonly forced: boolean;
  /** The provider asked for a pause until then: a cooldown beside the states. */
  readonly notBeforeMs: number | null;
  /** Whose failures `consecutiveFailures` counts, up to `tenantsMin` of them; empty where that is 1. */
  readonly failingTenants: readonly string[];
}

/** The breaker of a key that nothing is known about. */
export const CLOSED: Breaker = {
  state: 'closed',
  epoch: 0,
  consecutiveFailures: 0,
  openUntilMs: null,
  probes: {},
  probeSuccesses: 0,
  reopenings: 0,
  forced: false,
  notBeforeMs: null,
  failingTenants: [],
};

/** The right to make one call; its result is settled under it. */
export interface Permit {
  readonly epoch: number;
  /** Null for a call through a closed breaker. */
  readonly probeId: string | null;
}

/**
 * - `closed`: call, under a permit of the breaker's epoch;
 * - `probe`: the cooldown is over and a slot is free, which has to be claimed first;
 * - `refused`: nothing may be sent before `retryAtMs`.
 */
export type Admission =
  | { readonly kind: 'closed' }
  | { readonly kind: 'probe' }
  | {
      readonly kind: 'refused';
      readonly reason: 'circuit_open' | 'rate_limited';
      readonly retryAtMs: number;
    };

const ADMITTED: Admission = { kind: 'closed' };
const PROBE: Admission = { kind: 'probe' };

/** Whether a call may be made now. */
export function admit(breaker: Breaker, nowMs: number, policy: BreakerPolicy): Admission {
  const { state, notBeforeMs } = breaker;
  const probeAtMs = state === 'closed' ? null : nextProbeAtMs(breaker, nowMs, policy);
  if (probeAtMs !== null)
    return {
      kind: 'refused',
      reason: 'circuit_open',
      retryAtMs: Math.max(probeAtMs, notBeforeMs ?? probeAtMs),
    };
  if (notBeforeMs !== null && nowMs < notBeforeMs)
    return { kind: 'refused', reason: 'rate_limited', retryAtMs: notBeforeMs };
  return state === 'closed' ? ADMITTED : PROBE;
}

/** When a slot may be free, of a breaker that is not closed; null for now. */
function nextProbeAtMs(breaker: Breaker, nowMs: number, policy: BreakerPolicy): number | null {
  if (breaker.forced) return nowMs + policy.openCooldownMs;
  if (breaker.state === 'open')
    return breaker.openUntilMs !== null && nowMs < breaker.openUntilMs ? breaker.openUntilMs : null;
  const expiriesMs = Object.values(unexpired(breaker.probes, nowMs));
  const taken = expiriesMs.length;
  const { halfOpenMaxCalls, successThreshold } = policy;
  const isFull =
    taken >= halfOpenMaxCalls ||
    taken + breaker.probeSuccesses >= Math.max(halfOpenMaxCalls, successThreshold);
  // With no slot taken, successes alone never bar the way, even when the threshold was lowered since.
  return isFull && taken > 0 ? Math.min(...expiriesMs) : null;
}

const unexpired = (probes: Breaker['probes'], nowMs: number): Breaker['probes'] =>
  Object.fromEntries(Object.entries(probes).filter(([, expiresAtMs]) => nowMs < expiresAtMs));

const holdsSlot = ({ probes }: Breaker, probeId: string, nowMs: number): boolean =>
  nowMs < (probes[probeId] ?? nowMs);

interface Probe {
  /** Its own for every call; a claim that is repeated under it is granted once. */
  readonly id: string;
  /** When the slot is free again should its call never report, by the clock of `nowMs`. */
  readonly expiresAtMs: number;
}

/** What a claim came to: the value to keep, and either a permit or when to try again. */
type Claim = { readonly breaker: Breaker } & (
  | { readonly permit: Permit; readonly retryAtMs: null }
  | { readonly permit: null; readonly retryAtMs: number }
);

/**
 * Takes a probe slot, in a transaction on the shared value. The first one after the cooldown makes the
 * breaker half open. Where another instance has closed it meanwhile, the permit needs no slot.
 */
export function claimProbe(
  breaker: Breaker,
  probe: Probe,
  nowMs: number,
  policy: BreakerPolicy,
): Claim {
  if (holdsSlot(breaker, probe.id, nowMs)) return granted(breaker, probe.id);
  const admission = admit(breaker, nowMs, policy);
  if (admission.kind === 'refused')
    return { breaker, permit: null, retryAtMs: admission.retryAtMs };
  if (admission.kind === 'closed') return granted(breaker, null);
  // A slot that has expired already would bound nothing.
  if (probe.expiresAtMs <= nowMs) return { breaker, permit: null, retryAtMs: nowMs };
  const probes = { ...unexpired(breaker.probes, nowMs), [probe.id]: probe.expiresAtMs };
  const next = breaker.state === 'half_open' ? breaker : halfOpened(breaker);
  return granted({ ...next, probes }, probe.id);
}

const granted = (breaker: Breaker, probeId: string | null): Claim => ({
  breaker,
  permit: { epoch: breaker.epoch, probeId },
  retryAtMs: null,
});

/** What else there is to say of a call that failed. */
interface FailedBy {
  /** How many failed calls it stands for, 1 by default. */
  readonly failures?: number;
  /** Whose call it was; needed where the policy asks for more than one failing tenant. */
  readonly tenantId?: string;
}

/**
 * Takes in the result of a call. Results of another epoch, and of a probe whose slot has expired, come
 * too late and count for nothing.
 */
export function settle(
  breaker: Breaker,
  permit: Permit,
  verdict: Verdict,
  by: FailedBy,
  nowMs: number,
  policy: BreakerPolicy,
): Breaker {
  if (permit.epoch !== breaker.epoch) return breaker;
  switch (breaker.state) {
    case 'closed':
      return settleCall(breaker, verdict, by, nowMs, policy);
    case 'half_open':
      return settleProbe(breaker, permit, verdict, by, nowMs, policy);
    case 'open':
      return breaker;
  }
}

function settleCall(
  breaker: Breaker,
  verdict: Verdict,
  by: FailedBy,
  nowMs: number,
  policy: BreakerPolicy,
): Breaker {
  if (verdict === 'ignored') return breaker;
  if (verdict === 'success') return withoutFailures(breaker);
  const failed = withFailures(breaker, by, policy);
  const { failureThreshold, tenantsMin } = policy;
  return failed.consecutiveFailures >= failureThreshold &&
    (tenantsMin === 1 || failed.failingTenants.length >= tenantsMin)
    ? opened(failed, nowMs, policy)
    : failed;
}

function settleProbe(
  breaker: Breaker,
  { probeId }: Permit,
  verdict: Verdict,
  by: FailedBy,
  nowMs: number,
  policy: BreakerPolicy,
): Breaker {
  if (probeId === null || !holdsSlot(breaker, probeId, nowMs)) return breaker;
  if (verdict === 'failure') {
    const failed = withFailures(breaker, by, policy);
    return opened({ ...failed, reopenings: breaker.reopenings + 1 }, nowMs, policy);
  }
  const { [probeId]: _, ...probes } = breaker.probes;
  if (verdict === 'ignored') return { ...breaker, probes };
  const probeSuccesses = breaker.probeSuccesses + 1;
  return probeSuccesses >= policy.successThreshold
    ? closed(breaker)
    : { ...withoutFailures(breaker), probes, probeSuccesses };
}

const withoutFailures = (breaker: Breaker): Breaker =>
  breaker.consecutiveFailures === 0
    ? breaker
    : { ...breaker, consecutiveFailures: 0, failingTenants: [] };

function withFailures(
  breaker: Breaker,
  { failures = 1, tenantId }: FailedBy,
  { tenantsMin }: BreakerPolicy,
): Breaker {
  const { consecutiveFailures, failingTenants } = breaker;
  const isNew =
    tenantId !== undefined &&
    tenantsMin > 1 &&
    failingTenants.length < tenantsMin &&
    !failingTenants.includes(tenantId);
  return {
    ...breaker,
    consecutiveFailures: consecutiveFailures + failures,
    failingTenants: isNew ? [...failingTenants, tenantId] : failingTenants,
  };
}

const cooldownMs = (
  reopenings: number,
  { openCooldownMs, cooldownMultiplier, maxCooldownMs }: BreakerPolicy,
): number => Math.min(Math.round(openCooldownMs * cooldownMultiplier ** reopenings), maxCooldownMs);

const opened = (breaker: Breaker, nowMs: number, policy: BreakerPolicy): Breaker => ({
  ...breaker,
  state: 'open',
  epoch: breaker.epoch + 1,
  openUntilMs: nowMs + cooldownMs(breaker.reopenings, policy),
  probes: {},
  probeSuccesses: 0,
});

const halfOpened = (breaker: Breaker): Breaker => ({
  ...breaker,
  state: 'half_open',
  epoch: breaker.epoch + 1,
  openUntilMs: null,
});

/** The provider's pause outlasts it: it says nothing about the provider's health. */
const closed = ({ epoch, notBeforeMs }: Breaker): Breaker => ({
  ...CLOSED,
  epoch: epoch + 1,
  notBeforeMs,
});

/** Notes the pause that a provider asks for: the latest one holds, and none beyond `maxCooldownMs`. */
export function pause(
  breaker: Breaker,
  untilMs: number,
  nowMs: number,
  { maxCooldownMs }: BreakerPolicy,
): Breaker {
  const notBeforeMs = Math.min(untilMs, nowMs + maxCooldownMs);
  return notBeforeMs > Math.max(nowMs, breaker.notBeforeMs ?? nowMs)
    ? { ...breaker, notBeforeMs }
    : breaker;
}

/** An operator opens it, until `release`. Calls that are on their way count for nothing. */
export const forceOpen = (breaker: Breaker): Breaker =>
  breaker.forced
    ? breaker
    : {
        ...breaker,
        state: 'open',
        epoch: breaker.epoch + 1,
        openUntilMs: null,
        probes: {},
        probeSuccesses: 0,
        forced: true,
      };

/** Closes what `forceOpen` opened; one that opened by itself stays as it is. */
export const release = (breaker: Breaker): Breaker => (breaker.forced ? closed(breaker) : breaker);

/**
 * Bounds what a clock far ahead wrote: a cooldown to its own length from now, a pause and a probe slot
 * to `maxCooldownMs`. The answer has to be kept: bounded anew at every reading, none would ever end.
 */
export function clamped(breaker: Breaker, nowMs: number, policy: BreakerPolicy): Breaker {
  const { openUntilMs, notBeforeMs, probes } = breaker;
  const latestMs = nowMs + policy.maxCooldownMs;
  const next = {
    openUntilMs:
      openUntilMs && Math.min(openUntilMs, nowMs + cooldownMs(breaker.reopenings, policy)),
    notBeforeMs: notBeforeMs && Math.min(notBeforeMs, latestMs),
  };
  const isSlotAhead = Object.values(probes).some((expiresAtMs) => expiresAtMs > latestMs);
  if (next.openUntilMs === openUntilMs && next.notBeforeMs === notBeforeMs && !isSlotAhead)
    return breaker;
  return {
    ...breaker,
    ...next,
    probes: Object.fromEntries(
      Object.entries(probes).map(([id, expiresAtMs]) => [id, Math.min(expiresAtMs, latestMs)]),
    ),
  };
}

/** Which one an instance goes on with: of the same epoch the shared one, else the later epoch. */
export const newer = (mine: Breaker, theirs: Breaker): Breaker =>
  theirs.epoch >= mine.epoch ? theirs : mine;

interface Transition {
  readonly from: Breaker['state'];
  readonly to: Breaker['state'];
}

/** What to tell telemetry of a change; null when the state stayed. */
export const transitionOf = (before: Breaker, after: Breaker): Transition | null =>
  before.state === after.state ? null : { from: before.state, to: after.state };
