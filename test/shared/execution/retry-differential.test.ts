import { ExponentialBackoff, type IBackoff, handleWhen, noJitterGenerator, retry } from 'cockatiel';
import fc from 'fast-check';
import { afterEach, beforeEach, describe, expect, it, vi } from 'vitest';

import {
  ProviderBadRequestError,
  ProviderDependencyError,
  ProviderError,
} from '../../../shared/execution/errors.ts';
import type { RetryPolicy } from '../../../shared/execution/policy.ts';
import { delayMs, nextStep } from '../../../shared/execution/retry.ts';

/** cockatiel is an independent implementation of the same policy; it counts retries, we count calls. */

type Outcome = 'success' | 'retryable' | 'fatal';
interface Given {
  readonly maxAttempts: number;
  readonly baseDelayMs: number;
  readonly maxDelayMs: number;
}

// From 1 ms: a timer of 0 ms takes 1 ms in a fake clock.
const given: fc.Arbitrary<Given> = fc.record({
  maxAttempts: fc.integer({ min: 1, max: 12 }),
  baseDelayMs: fc.integer({ min: 1, max: 10_000 }),
  maxDelayMs: fc.integer({ min: 1, max: 100_000 }),
});
const scripts = fc.array(
  fc.constantFrom<Outcome[]>('success', 'retryable', 'retryable', 'retryable', 'fatal'),
  { minLength: 15, maxLength: 15 },
);

const policyOf = (values: Given): RetryPolicy => ({
  ...values,
  jitterRatio: 0,
  inProcessWaitMs: values.maxDelayMs,
  budgetTokens: 0,
  budgetTokenRatio: 0,
});

const backoffOf = ({ baseDelayMs, maxDelayMs }: Given) =>
  new ExponentialBackoff({
    initialDelay: baseDelayMs,
    maxDelay: maxDelayMs,
    exponent: 2,
    generator: noJitterGenerator,
  });

const failures = {
  retryable: () => new ProviderDependencyError('down'),
  fatal: () => new ProviderBadRequestError('refused'),
};

/** When each call began, from the first, and how the last one ended. */
interface Trace {
  readonly callsAtMs: readonly number[];
  readonly ended: string;
}

async function theirs(values: Given, script: readonly Outcome[]): Promise<Trace> {
  const startedMs = Date.now();
  const callsAtMs: number[] = [];
  const policy = retry(
    handleWhen((error) => error instanceof ProviderError && error.retryable),
    { maxAttempts: values.maxAttempts - 1, backoff: backoffOf(values) },
  );
  const ended = policy
    .execute(() => {
      const outcome = script[callsAtMs.push(Date.now() - startedMs) - 1] ?? 'success';
      if (outcome === 'success') return 'success';
      throw failures[outcome]();
    })
    .catch((error: unknown) => (error instanceof ProviderError ? error.reasonCode : 'unknown'));
  await vi.runAllTimersAsync();
  return { callsAtMs, ended: await ended };
}

function ours(values: Given, script: readonly Outcome[]): Trace {
  let nowMs = 0;
  const callsAtMs: number[] = [];
  for (;;) {
    const attemptsMade = callsAtMs.push(nowMs);
    const outcome = script[attemptsMade - 1] ?? 'success';
    if (outcome === 'success') return { callsAtMs, ended: 'success' };
    const error = failures[outcome]();
    const next = nextStep({
      policy: policyOf(values),
      attemptsMade,
      retryable: error.retryable,
      retryAfterMs: null,
      random: 0.7,
      nowMs,
      deadlineMs: Infinity,
      notAfterMs: null,
      mayWait: true,
    });
    if (next.kind !== 'wait') return { callsAtMs, ended: error.reasonCode };
    nowMs += next.ms;
  }
}

describe('beside cockatiel', () => {
  it('case 25: the delays are the same', () => {
    fc.assert(
      fc.property(given, (values) => {
        let backoff: IBackoff<unknown> = backoffOf(values).next();
        for (let attempt = 1; attempt <= 60; attempt++) {
          expect(delayMs(policyOf(values), attempt, 0.7)).toBe(backoff.duration);
          backoff = backoff.next(undefined);
        }
      }),
    );
  });

  describe('with a fake clock', () => {
    beforeEach(() => {
      vi.useFakeTimers();
    });
    afterEach(() => {
      vi.useRealTimers();
    });

    it.each<[number, Outcome[], number]>([
      [1, ['retryable', 'success'], 1],
      [3, ['retryable', 'retryable', 'success'], 3],
      [3, ['retryable', 'retryable', 'retryable', 'success'], 3],
      [5, ['retryable', 'fatal', 'success'], 2],
      [5, ['success'], 1],
    ])(
      'case 24: max_attempts %i and %j are %i calls in both',
      async (maxAttempts, script, calls) => {
        const values = { maxAttempts, baseDelayMs: 100, maxDelayMs: 1_000 };
        expect((await theirs(values, script)).callsAtMs).toHaveLength(calls);
        expect(ours(values, script).callsAtMs).toHaveLength(calls);
      },
    );

    it('cases 24 to 27: calls, their times and the last error are the same for any script', async () => {
      await fc.assert(
        fc.asyncProperty(given, scripts, async (values, script) => {
          expect(ours(values, script)).toEqual(await theirs(values, script));
        }),
      );
    });
  });
});
