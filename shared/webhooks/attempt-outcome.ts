import type { ProviderExecutionResult } from '../execution/result.ts';
import type { AttemptOutcome } from '../rfqs/next-delivery.ts';

/** What the execution of a webhook means for its delivery. */
export function attemptOutcome(result: ProviderExecutionResult<number>): AttemptOutcome {
  const attempts = result.attempts.length;
  if (result.status === 'succeeded')
    return { kind: 'delivered', http_status: result.value, attempts };
  const { reasonCode, message, httpStatus } = result.failure;
  const reason_code = reasonCode ?? 'cancelled';
  switch (result.status) {
    case 'failed':
      return {
        kind: 'failed',
        reason_code,
        message,
        http_status: httpStatus,
        attempts,
        retry_at: result.retryAt,
      };
    case 'deferred':
      return { kind: 'deferred', attempts, reason_code, message, until: result.retryAt };
    case 'cancelled':
      // Deliveries give no signal; were one cancelled, it would be due again at once.
      return { kind: 'deferred', attempts, reason_code, message, until: new Date(0) };
  }
}
