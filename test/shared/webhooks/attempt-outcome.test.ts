import { describe, expect, it } from 'vitest';

import type {
  Attempt,
  ProviderExecutionResult,
  ProviderFailure,
} from '../../../shared/execution/result.ts';
import { nextDelivery } from '../../../shared/rfqs/next-delivery.ts';
import { attemptOutcome } from '../../../shared/webhooks/attempt-outcome.ts';
import { at, later } from '../examples.ts';

const anAttempt: Attempt = {
  attemptNumber: 1,
  startedAtMs: at.getTime(),
  durationMs: 40,
  outcome: 'retry',
  reasonCode: 'dependency_unavailable',
  retryable: true,
  httpStatus: 503,
};
const ids = { correlationId: 'rfq_1', idempotencyKey: 'msg_1' };
const failure: ProviderFailure = {
  reasonCode: 'dependency_unavailable',
  errorType: 'ProviderDependencyError',
  message: 'the webhook answered 503',
  httpStatus: 503,
  retryable: true,
};
const refusal: ProviderFailure = {
  ...failure,
  reasonCode: 'circuit_open',
  message: 'the circuit breaker is open',
  httpStatus: null,
};
const deadline = later(3_600);

const succeeded: ProviderExecutionResult<number> = {
  ...ids,
  status: 'succeeded',
  value: 202,
  attempts: [{ ...anAttempt, outcome: 'success', reasonCode: null, httpStatus: 202 }],
};
const failedUntil = (
  retryAt: Date | null,
  attempts: readonly Attempt[] = [anAttempt],
): ProviderExecutionResult<number> => ({ ...ids, status: 'failed', failure, retryAt, attempts });
const deferredUntil = (
  retryAt: Date,
  attempts: readonly Attempt[] = [],
): ProviderExecutionResult<number> => ({
  ...ids,
  status: 'deferred',
  failure: refusal,
  retryAt,
  attempts,
});

const nextOf = (result: ProviderExecutionResult<number>) =>
  nextDelivery(null, attemptOutcome(result), at, deadline);

describe('the execution of a webhook', () => {
  it('that succeeded is a delivery with its status', () => {
    expect(attemptOutcome(succeeded)).toEqual({
      kind: 'delivered',
      http_status: 202,
      attempts: 1,
    });
    expect(nextOf(succeeded)).toMatchObject({
      attempts: 1,
      progress: { state: 'delivered', http_status: 202 },
    });
  });

  it.each([later(5), null])('that failed says when it would be tried again: %s', (retryAt) => {
    expect(attemptOutcome(failedUntil(retryAt))).toEqual({
      kind: 'failed',
      reason_code: 'dependency_unavailable',
      message: 'the webhook answered 503',
      http_status: 503,
      attempts: 1,
      retry_at: retryAt,
    });
  });

  it('that had no time left to send anything burns no attempt', () => {
    expect(nextOf(failedUntil(later(1), []))).toMatchObject({
      attempts: 0,
      progress: { state: 'retrying', next_attempt_at: later(1).toISOString() },
    });
  });

  it('that was deferred was never sent: it burns no attempt and is due when it may be', () => {
    expect(attemptOutcome(deferredUntil(later(60)))).toEqual({
      kind: 'deferred',
      reason_code: 'circuit_open',
      message: 'the circuit breaker is open',
      attempts: 0,
      until: later(60),
    });
    expect(nextOf(deferredUntil(later(60)))).toMatchObject({
      attempts: 0,
      progress: { state: 'retrying', next_attempt_at: later(60).toISOString() },
    });
  });

  it('that was deferred after an attempt burns that one', () => {
    expect(nextOf(deferredUntil(later(60), [anAttempt]))).toMatchObject({ attempts: 1 });
  });

  it.each([-60, 0, 1, 4])('that was deferred by %i s is not asked again within five', (seconds) => {
    expect(nextOf(deferredUntil(later(seconds))).progress).toMatchObject({
      next_attempt_at: later(5).toISOString(),
    });
  });

  it('that is deferred to the bid deadline or beyond has failed, without an attempt', () => {
    expect(nextOf(deferredUntil(deadline))).toMatchObject({
      attempts: 0,
      progress: { state: 'failed', last_failure: { reason_code: 'circuit_open' } },
      disable_subscription: false,
    });
  });

  it('that was cancelled is due again soon', () => {
    const cancelled: ProviderExecutionResult<number> = {
      ...ids,
      status: 'cancelled',
      failure: { ...refusal, reasonCode: null, errorType: 'Cancelled' },
      attempts: [],
    };
    expect(attemptOutcome(cancelled)).toMatchObject({ kind: 'deferred', reason_code: 'cancelled' });
    expect(nextOf(cancelled)).toMatchObject({
      attempts: 0,
      progress: { state: 'retrying', next_attempt_at: later(5).toISOString() },
    });
  });
});
