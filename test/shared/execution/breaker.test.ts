import { describe, expect, it } from 'vitest';

import {
  type Breaker,
  CLOSED,
  type Permit,
  admit,
  claimProbe,
  clamped,
  forceOpen,
  newer,
  pause,
  release,
  settle,
  transitionOf,
} from '../../../shared/execution/breaker.ts';
import type { BreakerPolicy } from '../../../shared/execution/policy.ts';
import type { Verdict } from '../../../shared/execution/reasons.ts';

const t0 = Date.UTC(2026, 2, 1, 12);
const HOUR_MS = 3_600_000;

const aPolicy = (changes: Partial<BreakerPolicy> = {}): BreakerPolicy => ({
  scope: 'tenant',
  failureThreshold: 3,
  openCooldownMs: 60_000,
  cooldownMultiplier: 2,
  maxCooldownMs: 300_000,
  halfOpenMaxCalls: 2,
  successThreshold: 2,
  tenantsMin: 1,
  ...changes,
});
const policy = aPolicy();
const single = aPolicy({ halfOpenMaxCalls: 1, successThreshold: 1 });

/** Under the epoch that the breaker has now. */
const permitOf = ({ epoch }: Breaker, probeId: string | null = null): Permit => ({
  epoch,
  probeId,
});

/** After calls through a closed breaker, one after another. */
const after = (breaker: Breaker, verdicts: readonly Verdict[], by = policy): Breaker =>
  verdicts.reduce((now, verdict) => settle(now, permitOf(now), verdict, {}, t0, by), breaker);

/** A claim that must be granted, for a slot of 10 s unless told. */
function claimed(breaker: Breaker, id: string, nowMs: number, by = policy, lifeMs = 10_000) {
  const claim = claimProbe(breaker, { id, expiresAtMs: nowMs + lifeMs }, nowMs, by);
  if (claim.permit === null) throw new Error(`refused until ${claim.retryAtMs - t0}`);
  return claim;
}

const refusalOf = (breaker: Breaker, id: string, nowMs: number, by = policy) => {
  const claim = claimProbe(breaker, { id, expiresAtMs: nowMs + 10_000 }, nowMs, by);
  expect(claim.permit).toBeNull();
  expect(claim.breaker).toBe(breaker);
  return claim.retryAtMs;
};

const open = after(CLOSED, ['failure', 'failure', 'failure']);
const dueMs = t0 + 60_000;
/** With one of two slots taken, by `a`. */
const halfOpen = claimed(open, 'a', dueMs).breaker;

/** A single probe that comes back with `verdict` once the cooldown is over. */
function probed(breaker: Breaker, verdict: Verdict, by: BreakerPolicy): Breaker {
  const nowMs = breaker.openUntilMs ?? t0;
  const { breaker: next, permit } = claimed(breaker, `p${breaker.epoch}`, nowMs, by);
  return settle(next, permit, verdict, {}, nowMs, by);
}

const throughJson = (breaker: Breaker): Breaker => JSON.parse(JSON.stringify(breaker)) as Breaker;

describe('a closed breaker', () => {
  it('case 01: opens at exactly the threshold of consecutive failures, not one before', () => {
    const twice = after(CLOSED, ['failure', 'failure']);
    expect(twice).toMatchObject({ state: 'closed', epoch: 0, consecutiveFailures: 2 });
    expect(admit(twice, t0, policy)).toEqual({ kind: 'closed' });
    // One answer for all calls: the way through a closed breaker costs no memory.
    expect(admit(twice, t0, policy)).toBe(admit(CLOSED, t0, policy));
    expect(open).toEqual({
      ...CLOSED,
      state: 'open',
      epoch: 1,
      consecutiveFailures: 3,
      openUntilMs: dueMs,
    });
    expect(after(CLOSED, ['failure'], aPolicy({ failureThreshold: 1 })).state).toBe('open');
  });

  it('case 01: a success resets the count', () => {
    const reset = after(CLOSED, ['failure', 'failure', 'success']);
    expect(reset).toEqual(CLOSED);
    expect(after(reset, ['failure', 'failure']).state).toBe('closed');
    expect(after(reset, ['failure', 'failure', 'failure']).state).toBe('open');
  });

  it('case 02: an ignored outcome neither counts nor resets', () => {
    const twice = after(CLOSED, ['failure', 'failure']);
    expect(after(twice, ['ignored', 'ignored'])).toBe(twice);
    expect(after(twice, ['ignored', 'failure']).state).toBe('open');
  });

  it('takes one failure for as many as it stands for', () => {
    const settled = (failures: number) =>
      settle(CLOSED, permitOf(CLOSED), 'failure', { failures }, t0, policy);
    expect(settled(2)).toMatchObject({ state: 'closed', consecutiveFailures: 2 });
    expect(settled(3)).toMatchObject({ state: 'open', openUntilMs: dueMs });
    expect(settled(7)).toMatchObject({ state: 'open', epoch: 1, consecutiveFailures: 7 });
  });

  it('is the very same value after a success that resets nothing', () => {
    expect(after(CLOSED, ['success', 'success'])).toBe(CLOSED);
  });

  it('over all tenants opens only when enough of them have failed', () => {
    const global = aPolicy({ tenantsMin: 2 });
    const failed = (breaker: Breaker, tenantId?: string) =>
      settle(
        breaker,
        permitOf(breaker),
        'failure',
        tenantId === undefined ? { failures: 2 } : { failures: 2, tenantId },
        t0,
        global,
      );
    const alone = ['acme', 'acme', undefined, 'acme'].reduce(failed, CLOSED);
    expect(alone).toMatchObject({
      state: 'closed',
      consecutiveFailures: 8,
      failingTenants: ['acme'],
    });
    expect(failed(alone, 'globex')).toMatchObject({
      state: 'open',
      failingTenants: ['acme', 'globex'],
    });
    // Enough tenants, but not enough failures.
    const few = settle(CLOSED, permitOf(CLOSED), 'failure', { tenantId: 'acme' }, t0, global);
    const both = settle(few, permitOf(few), 'failure', { tenantId: 'globex' }, t0, global);
    expect(both).toMatchObject({ state: 'closed', consecutiveFailures: 2 });
    expect(settle(both, permitOf(both), 'failure', { tenantId: 'initech' }, t0, global)).toEqual({
      ...CLOSED,
      state: 'open',
      epoch: 1,
      consecutiveFailures: 3,
      openUntilMs: dueMs,
      failingTenants: ['acme', 'globex'],
    });
    expect(settle(both, permitOf(both), 'success', {}, t0, global)).toEqual(CLOSED);
  });

  it('of one tenant keeps no tenants', () => {
    const failed = settle(CLOSED, permitOf(CLOSED), 'failure', { tenantId: 'acme' }, t0, policy);
    expect(failed.failingTenants).toEqual([]);
  });
});

describe('an open breaker', () => {
  it('case 04: refuses until the last millisecond of its cooldown, and asks for a probe from then on', () => {
    const refused = { kind: 'refused', reason: 'circuit_open', retryAtMs: dueMs };
    expect(admit(open, t0, policy)).toEqual(refused);
    expect(admit(open, dueMs - 1, policy)).toEqual(refused);
    expect(admit(open, dueMs, policy)).toEqual({ kind: 'probe' });
    expect(admit(open, dueMs + 1, policy)).toEqual({ kind: 'probe' });
    expect(refusalOf(open, 'a', dueMs - 1)).toBe(dueMs);
    expect(claimed(open, 'a', dueMs + 1).breaker.state).toBe('half_open');
  });

  it('becomes half open with the first claim', () => {
    expect(claimed(open, 'a', dueMs)).toEqual({
      breaker: {
        ...open,
        state: 'half_open',
        epoch: 2,
        openUntilMs: null,
        probes: { a: dueMs + 10_000 },
      },
      permit: { epoch: 2, probeId: 'a' },
      retryAtMs: null,
    });
  });

  it.each(['success', 'failure', 'ignored'] as const)(
    'case 08: a late %s of the closed era changes nothing, open or half open',
    (verdict) => {
      for (const breaker of [open, halfOpen])
        for (const late of [permitOf(CLOSED), { epoch: CLOSED.epoch, probeId: 'a' }])
          expect(settle(breaker, late, verdict, {}, dueMs, policy)).toBe(breaker);
    },
  );

  it('case 08: a call without a slot says nothing about a half-open breaker', () => {
    for (const verdict of ['success', 'failure'] as const)
      expect(settle(halfOpen, permitOf(halfOpen), verdict, {}, dueMs, policy)).toBe(halfOpen);
  });

  it('case 09: a late failure neither prolongs the cooldown nor makes a transition', () => {
    for (const permit of [permitOf(CLOSED), permitOf(open)]) {
      const later = settle(open, permit, 'failure', { failures: 9 }, t0 + 30_000, policy);
      expect(later).toBe(open);
      expect(transitionOf(open, later)).toBeNull();
    }
  });
});

describe('a half-open breaker', () => {
  it('case 05: admits exactly its maximum of probes; the others are refused at once', () => {
    const full = claimed(halfOpen, 'b', dueMs + 500).breaker;
    expect(Object.keys(full.probes)).toEqual(['a', 'b']);
    expect(full.epoch).toBe(halfOpen.epoch);
    // Until the slot that expires first.
    expect(refusalOf(full, 'c', dueMs + 1_000)).toBe(dueMs + 10_000);
    expect(admit(full, dueMs + 1_000, policy)).toEqual({
      kind: 'refused',
      reason: 'circuit_open',
      retryAtMs: dueMs + 10_000,
    });
  });

  it('case 05: probes and their successes together stay within what can close it', () => {
    const { breaker, permit } = claimed(halfOpen, 'b', dueMs);
    const succeeded = settle(breaker, permit, 'success', {}, dueMs, policy);
    expect(succeeded).toMatchObject({ probeSuccesses: 1, probes: { a: dueMs + 10_000 } });
    expect(refusalOf(succeeded, 'c', dueMs)).toBe(dueMs + 10_000);
  });

  it('case 06: any failed probe reopens it with a fresh cooldown, after successes too', () => {
    const { breaker, permit } = claimed(halfOpen, 'b', dueMs);
    const succeeded = settle(breaker, permit, 'success', {}, dueMs, policy);
    const failedAtMs = dueMs + 5_000;
    const steady = aPolicy({ cooldownMultiplier: 1 });
    const a = permitOf(halfOpen, 'a');
    expect(settle(succeeded, a, 'failure', {}, failedAtMs, steady)).toEqual({
      ...CLOSED,
      state: 'open',
      epoch: 3,
      consecutiveFailures: 1,
      openUntilMs: failedAtMs + 60_000,
      reopenings: 1,
    });
  });

  it('case 07: with one call at a time, closes after the threshold of successes in a row', () => {
    const patient = aPolicy({ halfOpenMaxCalls: 1, successThreshold: 3 });
    let breaker = open;
    for (const [id, successes] of [
      ['a', 1],
      ['b', 2],
    ] as const) {
      const claim = claimed(breaker, id, dueMs, patient);
      expect(refusalOf(claim.breaker, 'other', dueMs, patient)).toBe(dueMs + 10_000);
      breaker = settle(claim.breaker, claim.permit, 'success', {}, dueMs, patient);
      expect(breaker).toMatchObject({ state: 'half_open', probeSuccesses: successes, probes: {} });
    }
    const last = claimed(breaker, 'c', dueMs, patient);
    expect(settle(last.breaker, last.permit, 'success', {}, dueMs, patient)).toEqual({
      ...CLOSED,
      epoch: 3,
    });
  });

  it('case 08: a late result of an earlier half-open era does not count in the next', () => {
    const old = claimed(open, 'old', dueMs, policy, HOUR_MS);
    const { breaker, permit } = claimed(old.breaker, 'b', dueMs);
    const reopened = settle(breaker, permit, 'failure', {}, dueMs, policy);
    const again = claimed(reopened, 'c', reopened.openUntilMs ?? 0).breaker;
    for (const verdict of ['success', 'failure', 'ignored'] as const)
      expect(settle(again, old.permit, verdict, {}, dueMs + 120_000, policy)).toBe(again);
  });

  it('case 10: an ignored outcome frees the slot', () => {
    const { breaker, permit } = claimed(halfOpen, 'b', dueMs);
    const freed = settle(breaker, permit, 'ignored', {}, dueMs, policy);
    expect(freed).toEqual(halfOpen);
    expect(claimed(freed, 'c', dueMs).permit).toEqual({ epoch: 2, probeId: 'c' });
  });

  it('case 11: a cancelled probe frees its slot, and closes nothing', () => {
    const { breaker, permit } = claimed(open, 'a', dueMs, single);
    const freed = settle(breaker, permit, 'ignored', {}, dueMs, single);
    expect(freed).toMatchObject({ state: 'half_open', probes: {}, probeSuccesses: 0 });
    expect(admit(freed, dueMs, single)).toEqual({ kind: 'probe' });
    // Reported twice, it frees nobody else's.
    const next = claimed(freed, 'b', dueMs, single).breaker;
    expect(settle(next, permit, 'ignored', {}, dueMs, single)).toBe(next);
    expect(settle(next, permit, 'success', {}, dueMs, single)).toBe(next);
  });

  it('case 12: the slot of a hung probe expires by itself, at its boundary', () => {
    const { breaker } = claimed(open, 'hung', dueMs, single);
    const expiresAtMs = dueMs + 10_000;
    expect(refusalOf(breaker, 'b', expiresAtMs - 1, single)).toBe(expiresAtMs);
    expect(admit(breaker, expiresAtMs, single)).toEqual({ kind: 'probe' });
    const next = claimed(breaker, 'b', expiresAtMs, single).breaker;
    expect(next.probes).toEqual({ b: expiresAtMs + 10_000 });
  });

  it('case 12: a probe that reports after its slot expired counts for nothing', () => {
    const { breaker, permit } = claimed(open, 'hung', dueMs, single);
    const expiresAtMs = dueMs + 10_000;
    const next = claimed(breaker, 'b', expiresAtMs, single).breaker;
    for (const verdict of ['success', 'failure', 'ignored'] as const) {
      expect(settle(breaker, permit, verdict, {}, expiresAtMs, single)).toBe(breaker);
      expect(settle(next, permit, verdict, {}, expiresAtMs, single)).toBe(next);
    }
    expect(settle(breaker, permit, 'success', {}, expiresAtMs - 1, single).state).toBe('closed');
  });

  it('counts failures since the last success, probes included', () => {
    const failed = settle(halfOpen, permitOf(halfOpen, 'a'), 'failure', {}, dueMs, policy);
    expect(failed.consecutiveFailures).toBe(4);
    const succeeded = settle(halfOpen, permitOf(halfOpen, 'a'), 'success', {}, dueMs, policy);
    expect(succeeded).toMatchObject({ state: 'half_open', consecutiveFailures: 0 });
  });

  it('grants a claim once, however often it is repeated', () => {
    const probe = { id: 'a', expiresAtMs: dueMs + 99_000 };
    const repeated = claimProbe(halfOpen, probe, dueMs + 1, policy);
    expect(repeated.breaker).toBe(halfOpen);
    expect(repeated.permit).toEqual({ epoch: 2, probeId: 'a' });
    // Even where nothing else is free.
    const { breaker } = claimed(open, 'a', dueMs, single);
    expect(claimProbe(breaker, probe, dueMs + 1, single)).toMatchObject({ permit: { epoch: 2 } });
  });

  it('grants no slot that has expired already', () => {
    expect(claimProbe(open, { id: 'a', expiresAtMs: dueMs }, dueMs, policy)).toEqual({
      breaker: open,
      permit: null,
      retryAtMs: dueMs,
    });
  });

  it('that another instance closed meanwhile permits the call without a slot', () => {
    const recovered = probed(open, 'success', single);
    expect(claimed(recovered, 'b', dueMs, single)).toEqual({
      breaker: recovered,
      permit: { epoch: 3, probeId: null },
      retryAtMs: null,
    });
  });

  it('closes with the next success where the threshold was lowered below its successes', () => {
    const patient = aPolicy({ halfOpenMaxCalls: 1, successThreshold: 3 });
    let breaker = probed(open, 'success', patient);
    breaker = probed({ ...breaker, openUntilMs: dueMs }, 'success', patient);
    expect(breaker).toMatchObject({ state: 'half_open', probeSuccesses: 2 });
    expect(admit(breaker, dueMs, single)).toEqual({ kind: 'probe' });
    expect(probed(breaker, 'success', single).state).toBe('closed');
  });

  it('takes any string for the id of a probe', () => {
    for (const id of ['__proto__', 'constructor', '']) {
      const { breaker, permit } = claimed(open, id, dueMs, single);
      const stored = throughJson(breaker);
      expect(Object.keys(stored.probes)).toEqual([id]);
      expect(settle(stored, permit, 'success', {}, dueMs, single).state).toBe('closed');
      expect(settle(halfOpen, permit, 'failure', {}, dueMs, policy)).toBe(halfOpen);
    }
  });
});

describe('the cooldown', () => {
  it('case 21: doubles only from half open to open, up to its cap, and starts afresh once closed', () => {
    let breaker = open;
    const cooldownsMs = [60_000];
    for (let probes = 0; probes < 4; probes++) {
      const startMs = breaker.openUntilMs ?? 0;
      breaker = probed(breaker, 'failure', single);
      cooldownsMs.push((breaker.openUntilMs ?? 0) - startMs);
    }
    expect(cooldownsMs).toEqual([60_000, 120_000, 240_000, 300_000, 300_000]);

    const recovered = probed(breaker, 'success', single);
    expect(recovered).toMatchObject({ state: 'closed', reopenings: 0, consecutiveFailures: 0 });
    expect(after(recovered, ['failure', 'failure', 'failure'])).toMatchObject({
      openUntilMs: t0 + 60_000,
      reopenings: 0,
    });
  });

  it('case 21: stays finite after any number of reopenings', () => {
    const worn = { ...claimed(open, 'a', dueMs).breaker, reopenings: 5_000 };
    const reopened = settle(worn, permitOf(worn, 'a'), 'failure', {}, dueMs, policy);
    expect(reopened.openUntilMs).toBe(dueMs + 300_000);
  });

  it('ends on a whole millisecond, and never exceeds its cap from the start', () => {
    const odd = aPolicy({ openCooldownMs: 1_001, cooldownMultiplier: 1.5 });
    const reopened = settle(halfOpen, permitOf(halfOpen, 'a'), 'failure', {}, dueMs, odd);
    expect(reopened.openUntilMs).toBe(dueMs + 1_502);
    const capped = after(CLOSED, ['failure'], aPolicy({ failureThreshold: 1, maxCooldownMs: 5 }));
    expect(capped.openUntilMs).toBe(t0 + 5);
  });
});

describe('an operator', () => {
  const forced = forceOpen(CLOSED);

  it('case 15: force-opens it from every state, past every success and probe', () => {
    for (const breaker of [CLOSED, open, halfOpen]) {
      const held = forceOpen(breaker);
      expect(held).toMatchObject({
        state: 'open',
        forced: true,
        epoch: breaker.epoch + 1,
        openUntilMs: null,
        probes: {},
        probeSuccesses: 0,
      });
      for (const permit of [permitOf(breaker, null), permitOf(breaker, 'a'), permitOf(held, 'a')])
        for (const verdict of ['success', 'failure'] as const)
          expect(settle(held, permit, verdict, {}, dueMs, policy)).toBe(held);
      const nowMs = t0 + 1_000 * HOUR_MS;
      expect(refusalOf(held, 'b', nowMs)).toBe(nowMs + 60_000);
      expect(admit(held, nowMs, policy)).toEqual({
        kind: 'refused',
        reason: 'circuit_open',
        retryAtMs: nowMs + 60_000,
      });
    }
  });

  it('case 15: holds it through a restore, and forcing it twice changes nothing', () => {
    expect(throughJson(forced)).toEqual(forced);
    expect(admit(throughJson(forced), t0 + HOUR_MS, policy).kind).toBe('refused');
    expect(forceOpen(forced)).toBe(forced);
    expect(clamped(forced, t0, policy)).toBe(forced);
  });

  it('case 15: release closes it; a second release is a no-op', () => {
    const worn = settle(halfOpen, permitOf(halfOpen, 'a'), 'failure', {}, dueMs, policy);
    const released = release(forceOpen(worn));
    expect(released).toEqual({ ...CLOSED, epoch: 5 });
    expect(release(released)).toBe(released);
    // Nor does the repetition close what opened by itself since.
    const reopened = after(released, ['failure', 'failure', 'failure']);
    expect(reopened.state).toBe('open');
    expect(release(reopened)).toBe(reopened);
    expect(release(halfOpen)).toBe(halfOpen);
  });
});

describe('the shared value', () => {
  const states: readonly (readonly [string, Breaker])[] = [
    ['closed', CLOSED],
    ['closed with failures', after(CLOSED, ['failure', 'failure'])],
    ['open', open],
    ['half open', halfOpen],
    ['forced open', forceOpen(halfOpen)],
    ['paused', pause(open, dueMs + 5, t0, policy)],
    ['of all tenants', { ...CLOSED, consecutiveFailures: 1, failingTenants: ['acme'] }],
  ];

  it.each(states)('case 16: %s survives JSON, and decides the same afterwards', (_, breaker) => {
    const restored = throughJson(breaker);
    expect(restored).toEqual(breaker);
    for (const nowMs of [t0, dueMs, dueMs + HOUR_MS]) {
      expect(admit(restored, nowMs, policy)).toEqual(admit(breaker, nowMs, policy));
      const probe = { id: 'n', expiresAtMs: nowMs + 10 };
      expect(claimProbe(restored, probe, nowMs, policy)).toEqual(
        claimProbe(breaker, probe, nowMs, policy),
      );
      const permit = permitOf(breaker, breaker.state === 'half_open' ? 'a' : null);
      expect(settle(restored, permit, 'failure', {}, nowMs, policy)).toEqual(
        settle(breaker, permit, 'failure', {}, nowMs, policy),
      );
    }
  });

  it('case 16: eight instances with one half-open snapshot make no more than its maximum of probes', () => {
    let shared = throughJson(halfOpen);
    const granted = Array.from({ length: 8 }, (_, instance) => {
      // Each decides from the same snapshot, and claims on the shared value.
      expect(admit(throughJson(halfOpen), dueMs, policy)).toEqual({ kind: 'probe' });
      const probe = { id: `i${instance}`, expiresAtMs: dueMs + 10_000 };
      const claim = claimProbe(shared, probe, dueMs, policy);
      shared = throughJson(claim.breaker);
      return claim.permit;
    }).filter((permit) => permit !== null);
    // One of two slots was taken in the snapshot.
    expect(granted).toEqual([{ epoch: 2, probeId: 'i0' }]);
  });

  it('case 17: a cooldown that a clock an hour ahead began is cut to its own length, and then ends', () => {
    const ahead = after(CLOSED, ['failure', 'failure']);
    const wrong = settle(ahead, permitOf(ahead), 'failure', {}, t0 + HOUR_MS, policy);
    const cut = clamped(wrong, t0, policy);
    expect(cut).toEqual({ ...wrong, openUntilMs: dueMs });
    expect(clamped(cut, t0 + 30_000, policy)).toBe(cut);
    expect(admit(cut, dueMs, policy)).toEqual({ kind: 'probe' });
  });

  it('case 17: a longer cooldown is its own bound, up to the cap', () => {
    const wrong = { ...open, openUntilMs: t0 + HOUR_MS };
    expect(clamped({ ...wrong, reopenings: 1 }, t0, policy).openUntilMs).toBe(t0 + 120_000);
    expect(clamped({ ...wrong, reopenings: 9 }, t0, policy).openUntilMs).toBe(t0 + 300_000);
  });

  it('case 17: a pause and a probe slot from a clock ahead are cut to the longest cooldown', () => {
    const wrong = {
      ...halfOpen,
      notBeforeMs: t0 + HOUR_MS,
      probes: { ahead: t0 + HOUR_MS, right: t0 + 10_000 },
    };
    const cut = {
      ...halfOpen,
      notBeforeMs: t0 + 300_000,
      probes: { ahead: t0 + 300_000, right: t0 + 10_000 },
    };
    expect(clamped(wrong, t0, policy)).toEqual(cut);
    expect(clamped({ ...cut, probes: wrong.probes }, t0, policy)).toEqual(cut);
    expect(clamped(cut, t0, policy)).toBe(cut);
  });

  it('case 17: what a right clock wrote stays the very same value', () => {
    for (const [, breaker] of states) expect(clamped(breaker, dueMs, policy)).toBe(breaker);
  });

  it('case 17: a clock set back by an hour waits for a cooldown, not for an hour', () => {
    const backMs = t0 - HOUR_MS;
    expect(admit(open, backMs, policy)).toMatchObject({ kind: 'refused', retryAtMs: dueMs });
    const cut = clamped(open, backMs, policy);
    expect(admit(cut, backMs + 59_999, policy)).toMatchObject({ kind: 'refused' });
    expect(admit(cut, backMs + 60_000, policy)).toEqual({ kind: 'probe' });
  });

  it('case 18: two instances that open it at once make one epoch and one transition', () => {
    const twice = after(CLOSED, ['failure', 'failure']);
    const mine = settle(twice, permitOf(twice), 'failure', {}, t0, policy);
    const theirs = settle(twice, permitOf(twice), 'failure', {}, t0 + 7, policy);
    expect([mine.epoch, theirs.epoch]).toEqual([1, 1]);
    // In the store, the second one meets the first one's value.
    const loser = settle(mine, permitOf(twice), 'failure', {}, t0 + 7, policy);
    expect(loser).toBe(mine);
    expect(transitionOf(twice, mine)).toEqual({ from: 'closed', to: 'open' });
    expect(transitionOf(mine, loser)).toBeNull();
    expect(newer(theirs, loser)).toBe(mine);
  });

  it('case 19: a stale snapshot never replaces a newer value', () => {
    expect(newer(halfOpen, open)).toBe(halfOpen);
    expect(newer(open, halfOpen)).toBe(halfOpen);
    expect(newer(release(forceOpen(CLOSED)), forceOpen(CLOSED))).toEqual({ ...CLOSED, epoch: 2 });
  });

  it('case 19: of one epoch the shared value holds, with what other instances added', () => {
    const mine = after(CLOSED, ['failure']);
    const shared = after(CLOSED, ['failure', 'failure']);
    expect(newer(mine, shared)).toBe(shared);
    expect(newer(shared, mine)).toBe(mine);
  });
});

describe('a pause that the provider asks for', () => {
  const paused = pause(CLOSED, t0 + 5_000, t0, policy);

  it('refuses until then, and is no transition', () => {
    expect(paused).toEqual({ ...CLOSED, notBeforeMs: t0 + 5_000 });
    const refused = { kind: 'refused', reason: 'rate_limited', retryAtMs: t0 + 5_000 };
    expect(admit(paused, t0, policy)).toEqual(refused);
    expect(admit(paused, t0 + 4_999, policy)).toEqual(refused);
    expect(admit(paused, t0 + 5_000, policy)).toEqual({ kind: 'closed' });
    expect(refusalOf(paused, 'a', t0)).toBe(t0 + 5_000);
  });

  it('is never shortened, and never longer than the longest cooldown', () => {
    expect(pause(paused, t0 + 4_000, t0, policy)).toBe(paused);
    expect(pause(paused, t0 + 5_000, t0 + 1, policy)).toBe(paused);
    expect(pause(paused, t0 + 6_000, t0, policy).notBeforeMs).toBe(t0 + 6_000);
    for (const farMs of [t0 + HOUR_MS, Number.POSITIVE_INFINITY])
      expect(pause(paused, farMs, t0, policy).notBeforeMs).toBe(t0 + 300_000);
  });

  it('that is over, or no time at all, changes nothing', () => {
    for (const untilMs of [t0, t0 - 1, Number.NaN])
      expect(pause(CLOSED, untilMs, t0, policy)).toBe(CLOSED);
  });

  it('holds back probes as well, and outlasts a recovery and a release', () => {
    const late = pause(open, dueMs + 5_000, t0, policy);
    expect(admit(late, dueMs - 1, policy)).toEqual({
      kind: 'refused',
      reason: 'circuit_open',
      retryAtMs: dueMs + 5_000,
    });
    expect(admit(late, dueMs, policy)).toMatchObject({ reason: 'rate_limited' });
    expect(refusalOf(late, 'a', dueMs)).toBe(dueMs + 5_000);

    const { breaker, permit } = claimed(open, 'a', dueMs, single);
    const recovered = settle(
      pause(breaker, dueMs + 5_000, dueMs, single),
      permit,
      'success',
      {},
      dueMs,
      single,
    );
    expect(recovered).toMatchObject({ state: 'closed', notBeforeMs: dueMs + 5_000 });
    expect(release(forceOpen(paused)).notBeforeMs).toBe(t0 + 5_000);
  });

  it('does not lengthen the wait for an earlier cooldown or slot', () => {
    const soon = pause(open, t0 + 1_000, t0, policy);
    expect(admit(soon, t0, policy)).toMatchObject({ retryAtMs: dueMs });
  });
});

describe('a transition', () => {
  it('is told with where it came from and where it went', () => {
    expect(transitionOf(open, halfOpen)).toEqual({ from: 'open', to: 'half_open' });
    expect(transitionOf(halfOpen, release(forceOpen(halfOpen)))).toEqual({
      from: 'half_open',
      to: 'closed',
    });
    expect(transitionOf(open, forceOpen(open))).toBeNull();
    expect(transitionOf(CLOSED, after(CLOSED, ['failure']))).toBeNull();
  });
});
