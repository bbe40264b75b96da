import { describe, expect, it } from 'vitest';

import type { ProviderExecutionResult, ProviderFailure } from '../../../shared/execution/result.ts';
import { nextDelivery } from '../../../shared/rfqs/next-delivery.ts';
import { attemptOutcome } from '../../../shared/webhooks/attempt-outcome.ts';
import { at, later } from '../examples.ts';

const execution = { correlationId: 'rfq_1', idempotencyKey: 'msg_1', attempts: [] };
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

describe('the execution of a webhook', () => {
  it('that succeeded is a delivery with its status', () => {
    expect(attemptOutcome({ ...execution, status: 'succeeded', value: 202 })).toEqual({
      kind: 'delivered',
      http_status: 202,
    });
  });

  it.each([later(5), null])('that failed says when it would be tried again: %s', (retryAt) => {
    expect(attemptOutcome({ ...execution, status: 'failed', failure, retryAt })).toEqual({
      kind: 'failed',
      reason_code: 'dependency_unavailable',
      message: 'the webhook answered 503',
      http_status: 503,
      retry_at: retryAt,
    });
  });

  it('that was deferred was never sent: it burns no attempt and is due when it may be', () => {
    const result = { ...execution, status: 'deferred', failure: refusal, retryAt: later(60) };
    const outcome = attemptOutcome(result as ProviderExecutionResult<number>);
    expect(outcome).toEqual({
      kind: 'deferred',
      reason_code: 'circuit_open',
      message: 'the circuit breaker is open',
      until: later(60),
    });
    expect(nextDelivery(null, outcome, at, deadline)).toMatchObject({
      attempts: 0,
      progress: { state: 'retrying', next_attempt_at: later(60).toISOString() },
    });
  });

  it.each([0, 1, 4])('that was deferred by %i s is not asked again within five', (seconds) => {
    const result = { ...execution, status: 'deferred', failure: refusal, retryAt: later(seconds) };
    const outcome = attemptOutcome(result as ProviderExecutionResult<number>);
    expect(nextDelivery(null, outcome, at, deadline).progress).toMatchObject({
      next_attempt_at: later(5).toISOString(),
    });
  });

  it('that is deferred to the bid deadline or beyond has failed, without an attempt', () => {
    const result = { ...execution, status: 'deferred', failure: refusal, retryAt: deadline };
    const outcome = attemptOutcome(result as ProviderExecutionResult<number>);
    expect(nextDelivery(null, outcome, at, deadline)).toMatchObject({
      attempts: 0,
      progress: { state: 'failed', last_failure: { reason_code: 'circuit_open' } },
      disable_subscription: false,
    });
  });

  it('that was cancelled is due again soon, and burns no attempt', () => {
    const cancelled: ProviderFailure = { ...refusal, reasonCode: null, errorType: 'Cancelled' };
    const outcome = attemptOutcome({ ...execution, status: 'cancelled', failure: cancelled });
    expect(outcome).toMatchObject({ kind: 'deferred', reason_code: 'cancelled' });
    expect(nextDelivery(null, outcome, at, deadline)).toMatchObject({
      attempts: 0,
      progress: { state: 'retrying', next_attempt_at: later(5).toISOString() },
    });
  });
});
