import fc from 'fast-check';
import { describe, expect, it } from 'vitest';

import { providerErrorOf } from '../../../shared/execution/errors.ts';
import type { RetryPolicy } from '../../../shared/execution/policy.ts';
import type { ReasonCode } from '../../../shared/execution/reasons.ts';
import { retryAfterMs } from '../../../shared/execution/retry-after.ts';
import { type FailedCall, delayMs, nextStep } from '../../../shared/execution/retry.ts';

const nowMs = Date.UTC(2026, 2, 1, 12);

const aPolicy = (changes: Partial<RetryPolicy> = {}): RetryPolicy => ({
  maxAttempts: 3,
  baseDelayMs: 250,
  maxDelayMs: 5_000,
  jitterRatio: 0,
  inProcessWaitMs: 2_000,
  budgetTokens: 10,
  budgetTokenRatio: 0.1,
  ...changes,
});

const step = (changes: Partial<FailedCall> = {}) =>
  nextStep({
    policy: aPolicy(),
    attemptsMade: 1,
    retryable: true,
    retryAfterMs: null,
    random: 0.5,
    nowMs,
    deadlineMs: nowMs + 30_000,
    notAfterMs: null,
    mayWait: true,
    ...changes,
  });

/** Calls that end as `script` says, until one succeeds or there is no next one. */
function run(policy: RetryPolicy, script: readonly (ReasonCode | 'success')[]) {
  let calls = 0;
  for (;;) {
    const outcome = script[calls++] ?? 'success';
    if (outcome === 'success') return { calls, failed: null };
    const error = providerErrorOf(outcome, 'scripted');
    const next = step({ policy, attemptsMade: calls, retryable: error.retryable });
    if (next.kind === 'stop') return { calls, failed: outcome };
  }
}

describe('the delay', () => {
  it('case 25: doubles from the base and is capped, with jitter 0', () => {
    const delays = [1, 2, 3, 4, 5, 6, 7].map((attempt) => delayMs(aPolicy(), attempt, 0.9));
    expect(delays).toEqual([250, 500, 1_000, 2_000, 4_000, 5_000, 5_000]);
  });

  it('case 25: is d(1-r) at random 0, d at a half and d(1+r) at 1, also above the cap', () => {
    const policy = aPolicy({ jitterRatio: 0.1 });
    expect([0, 0.5, 1].map((random) => delayMs(policy, 2, random))).toEqual([450, 500, 550]);
    expect([0, 0.5, 1].map((random) => delayMs(policy, 9, random))).toEqual([4_500, 5_000, 5_500]);
  });

  it('case 25: stays within its window for every policy and attempt', () => {
    const policies = fc.record({
      baseDelayMs: fc.integer({ min: 0, max: 60_000 }),
      maxDelayMs: fc.integer({ min: 0, max: 900_000 }),
      jitterRatio: fc.double({ min: 0, max: 1, noNaN: true }),
    });
    const attempts = fc.integer({ min: 1, max: 10_000 });
    const randoms = fc.double({ min: 0, max: 1, maxExcluded: true, noNaN: true });
    fc.assert(
      fc.property(policies, attempts, randoms, (given, attempt, random) => {
        const delay = delayMs(aPolicy({ ...given, jitterRatio: 0 }), attempt, random);
        const jittered = delayMs(aPolicy(given), attempt, random);
        expect(delay).toBeLessThanOrEqual(given.maxDelayMs);
        expect(jittered).toBeGreaterThanOrEqual(delay * (1 - given.jitterRatio) - 1e-6);
        expect(jittered).toBeLessThanOrEqual(delay * (1 + given.jitterRatio) + 1e-6);
      }),
    );
  });

  it('case 25: is finite at attempt 5000, even from a base of 0', () => {
    expect(delayMs(aPolicy(), 5_000, 0.5)).toBe(5_000);
    expect(delayMs(aPolicy({ baseDelayMs: 0 }), 5_000, 0.5)).toBe(0);
    expect(delayMs(aPolicy({ baseDelayMs: 1e300 }), 5_000, 0.5)).toBe(5_000);
  });
});

describe('the number of calls', () => {
  it.each([1, 2, 3, 7])(
    'case 24: max_attempts %i is all calls, the first included',
    (maxAttempts) => {
      const down = Array<ReasonCode>(20).fill('dependency_unavailable');
      expect(run(aPolicy({ maxAttempts }), down).calls).toBe(maxAttempts);
    },
  );

  it('case 24: max_attempts 1 never retries', () => {
    expect(step({ policy: aPolicy({ maxAttempts: 1 }) })).toEqual({ kind: 'stop' });
  });

  it('case 24: counts attempts of earlier executions of the same task', () => {
    expect(step({ attemptsMade: 2 }).kind).toBe('wait');
    expect(step({ attemptsMade: 3 })).toEqual({ kind: 'stop' });
    expect(step({ attemptsMade: 17 })).toEqual({ kind: 'stop' });
  });

  it.each<ReasonCode>([
    'auth_failed',
    'quota_exhausted',
    'bad_request',
    'response_invalid',
    'circuit_open',
    'internal_error',
  ])('case 26: %s stops at once', (reason) => {
    expect(run(aPolicy(), [reason])).toEqual({ calls: 1, failed: reason });
  });

  it('case 27: a retryable failure and then another kind stops, with the second one', () => {
    expect(run(aPolicy(), ['timeout', 'auth_failed', 'success'])).toEqual({
      calls: 2,
      failed: 'auth_failed',
    });
  });

  it('ends with the first success', () => {
    expect(run(aPolicy(), ['timeout', 'rate_limited', 'success'])).toEqual({
      calls: 3,
      failed: null,
    });
  });

  it('case 33: once the retry budget is spent, a retry is left to the caller', () => {
    expect(step({ mayWait: false })).toMatchObject({ kind: 'later' });
  });
});

describe('the wait', () => {
  it('is ours when the provider asks for none, or for less', () => {
    expect(step()).toEqual({ kind: 'wait', ms: 250 });
    expect(step({ retryAfterMs: 249 })).toEqual({ kind: 'wait', ms: 250 });
  });

  it("case 28: is the provider's when that is longer", () => {
    expect(step({ retryAfterMs: 1_700 })).toEqual({ kind: 'wait', ms: 1_700 });
  });

  it('case 28: is ours when what the provider sent is garbage, negative or past', () => {
    for (const value of ['soon', '-30', 'Sun, 01 Mar 2026 11:00:00 GMT']) {
      const askedMs = retryAfterMs({ 'retry-after': value }, null, new Date(nowMs));
      expect(step({ retryAfterMs: askedMs }), value).toEqual({ kind: 'wait', ms: 250 });
    }
  });

  it('case 28: is not slept when it outlives the budget: the caller learns when', () => {
    const deadlineMs = nowMs + 1_000;
    expect(step({ retryAfterMs: 999, deadlineMs })).toEqual({ kind: 'wait', ms: 999 });
    expect(step({ retryAfterMs: 1_000, deadlineMs })).toEqual({
      kind: 'later',
      atMs: nowMs + 1_000,
    });
    const hugeMs = retryAfterMs({ 'retry-after': '9'.repeat(30) }, null, new Date(nowMs));
    expect(step({ retryAfterMs: hugeMs })).toEqual({ kind: 'later', atMs: nowMs + 86_400_000 });
  });

  it('is left to the caller when it is longer than may be waited here', () => {
    expect(step({ retryAfterMs: 2_000 })).toEqual({ kind: 'wait', ms: 2_000 });
    expect(step({ retryAfterMs: 2_001 })).toEqual({ kind: 'later', atMs: nowMs + 2_001 });
    const policy = aPolicy({ inProcessWaitMs: 0 });
    expect(step({ policy })).toEqual({ kind: 'later', atMs: nowMs + 250 });
  });

  it('case 35: is 0 ms without a delay, which needs no timer', () => {
    const policy = aPolicy({ baseDelayMs: 0, inProcessWaitMs: 0 });
    expect(step({ policy })).toEqual({ kind: 'wait', ms: 0 });
    expect(step({ policy, retryAfterMs: 0 })).toEqual({ kind: 'wait', ms: 0 });
  });

  it('is not begun when the next attempt would come too late for the work', () => {
    expect(step({ notAfterMs: nowMs + 251 })).toEqual({ kind: 'wait', ms: 250 });
    expect(step({ notAfterMs: nowMs + 250 })).toEqual({ kind: 'stop' });
    expect(step({ notAfterMs: nowMs + 60_000, retryAfterMs: 60_000 })).toEqual({ kind: 'stop' });
  });

  it('is whole milliseconds, never less than what was asked for', () => {
    const policy = aPolicy({ jitterRatio: 0.1 });
    expect(step({ policy, random: 0.123 })).toEqual({ kind: 'wait', ms: 232 });
    expect(step({ policy, random: 0.123, retryAfterMs: 5_000.2 })).toEqual({
      kind: 'later',
      atMs: nowMs + 5_001,
    });
  });
});
