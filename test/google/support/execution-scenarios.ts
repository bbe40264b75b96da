import fc from 'fast-check';

import type { ReasonCode } from '../../../shared/execution/reasons.ts';

/** What the provider does with one attempt. Times are milliseconds before the tempo of the world. */
export type Answer =
  | { readonly kind: 'ok' }
  | { readonly kind: 'fail'; readonly reason: ReasonCode }
  | { readonly kind: 'rate_limited'; readonly retryAfterMs: number }
  | { readonly kind: 'slow'; readonly ms: number; readonly fails: boolean }
  | { readonly kind: 'throw' }
  | { readonly kind: 'hang' };

/** What happens next; instances, tenants and calls are named by numbers that fit any count of them. */
export type Step =
  /** `answers` are for its attempts in turn, the last for all that follow. */
  | {
      readonly do: 'call';
      readonly instance: number;
      readonly tenant: number;
      readonly answers: readonly Answer[];
    }
  /** The nth of the calls under way, the newest first, is cancelled by its caller. */
  | { readonly do: 'cancel'; readonly nth: number }
  /** From now on the provider is down for everybody, or up again. */
  | { readonly do: 'outage'; readonly isDown: boolean }
  | { readonly do: 'pass'; readonly ms: number }
  /** Everything that does not wait for the clock comes to an end. */
  | { readonly do: 'rest' }
  | { readonly do: 'flush'; readonly instance: number }
  /** It dies without a word; another takes its place. */
  | { readonly do: 'kill'; readonly instance: number };

export interface Rules {
  readonly scope: 'tenant' | 'provider';
  readonly failureThreshold: number;
  readonly halfOpenMaxCalls: number;
  readonly successThreshold: number | null;
  readonly maxAttempts: number;
  /** Units of quota in a window; null for none. */
  readonly limit: number | null;
}

export interface Scenario {
  readonly rules: Rules;
  /** How far the clock of each instance is ahead, in real milliseconds. */
  readonly skewsMs: readonly number[];
  readonly steps: readonly (readonly [Step, turns: number])[];
}

const seldom = <T>(arbitrary: fc.Arbitrary<T>) => ({ weight: 1, arbitrary });

const answer: fc.Arbitrary<Answer> = fc.oneof(
  { weight: 8, arbitrary: fc.constant({ kind: 'ok' as const }) },
  {
    weight: 5,
    arbitrary: fc.record({
      kind: fc.constant('fail' as const),
      reason: fc.constantFrom<ReasonCode>(
        'timeout',
        'connection_error',
        'dependency_unavailable',
        'response_invalid',
        'internal_error',
        'bad_request',
        'auth_failed',
      ),
    }),
  },
  {
    weight: 3,
    arbitrary: fc.record({
      kind: fc.constant('slow' as const),
      // Some longer than any call has time.
      ms: fc.integer({ min: 1, max: 7_000 }),
      fails: fc.boolean(),
    }),
  },
  seldom(
    fc.record({
      kind: fc.constant('rate_limited' as const),
      retryAfterMs: fc.integer({ min: 100, max: 6_000 }),
    }),
  ),
  seldom(fc.constant({ kind: 'throw' as const })),
  seldom(fc.constant({ kind: 'hang' as const })),
);

const instance = fc.nat({ max: 3 });
const call = fc.record({
  do: fc.constant('call' as const),
  instance,
  tenant: fc.constantFrom(0, 0, 1),
  answers: fc.array(answer, { minLength: 1, maxLength: 3 }),
});
const pass = fc.record({
  do: fc.constant('pass' as const),
  ms: fc.oneof(
    fc.constantFrom(1, 250, 1_000, 5_000, 10_000),
    fc.integer({ min: 1, max: 15_000 }),
    seldom(fc.integer({ min: 15_000, max: 65_000 })),
  ),
});

const step: fc.Arbitrary<Step> = fc.oneof(
  { weight: 14, arbitrary: call },
  { weight: 5, arbitrary: pass },
  { weight: 3, arbitrary: fc.constant({ do: 'rest' as const }) },
  {
    weight: 2,
    arbitrary: fc.record({ do: fc.constant('outage' as const), isDown: fc.boolean() }),
  },
  {
    weight: 2,
    arbitrary: fc.record({ do: fc.constant('cancel' as const), nth: fc.nat({ max: 3 }) }),
  },
  seldom(fc.record({ do: fc.constant('flush' as const), instance })),
  seldom(fc.record({ do: fc.constant('kill' as const), instance })),
);

/** @param limits what quotas to draw from; null for none */
export const scenarios = (
  limits: readonly (number | null)[],
  skewsMs: readonly number[],
): fc.Arbitrary<Scenario> =>
  fc.record({
    rules: fc.record({
      scope: fc.constantFrom('tenant', 'tenant', 'provider'),
      failureThreshold: fc.integer({ min: 1, max: 3 }),
      halfOpenMaxCalls: fc.integer({ min: 1, max: 3 }),
      successThreshold: fc.constantFrom(null, null, 1, 2, 3),
      maxAttempts: fc.integer({ min: 1, max: 3 }),
      limit: fc.constantFrom(...limits),
    }),
    skewsMs: fc.array(fc.constantFrom(...skewsMs), { minLength: 2, maxLength: 4 }),
    steps: fc.array(fc.tuple(step, fc.nat({ max: 4 })), { minLength: 15, maxLength: 45 }),
  });
