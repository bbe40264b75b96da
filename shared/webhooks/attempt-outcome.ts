import type { AttemptOutcome } from '../rfqs/next-delivery.ts';

/** What came back from the network, as far as a delivery cares. */
type Answer =
  | {
      readonly kind: 'response';
      readonly status: number;
      readonly headers: Readonly<Record<string, string>>;
    }
  | { readonly kind: 'forbidden'; readonly reason: string }
  | {
      readonly kind: 'failed';
      readonly reason: 'timeout' | 'connection_error' | 'response_too_large';
    };

const GONE = 410;

const messageOf = {
  timeout: 'the webhook did not answer in time',
  connection_error: 'no connection to the webhook could be made',
  response_too_large: 'the webhook answered with more than it may',
} as const;

/**
 * Any 2xx is a delivery, 410 means never again, and everything else is worth another attempt, as
 * Standard Webhooks has it. A target that our own policy forbids stays forbidden.
 */
export function attemptOutcome(answer: Answer, at: Date): AttemptOutcome {
  const failed = { kind: 'failed', http_status: null, retryable: true } as const;
  switch (answer.kind) {
    case 'forbidden':
      return {
        ...failed,
        reason_code: 'bad_request',
        message: `the webhook URL ${answer.reason}`,
        retryable: false,
      };
    case 'failed':
      if (answer.reason === 'response_too_large')
        return { ...failed, reason_code: 'response_invalid', message: messageOf[answer.reason] };
      return { ...failed, reason_code: answer.reason, message: messageOf[answer.reason] };
    case 'response': {
      const { status, headers } = answer;
      if (status >= 200 && status < 300) return { kind: 'delivered', http_status: status };
      const retryAfterMs = retryAfter(headers['retry-after'], at);
      return {
        ...failed,
        reason_code: reasonOf(status),
        message: `the webhook answered ${status}`,
        http_status: status,
        retryable: status !== GONE,
        ...(retryAfterMs !== null && { retry_after_ms: retryAfterMs }),
      };
    }
  }
}

function reasonOf(status: number): string {
  if (status === 429) return 'rate_limited';
  if (status === 401 || status === 403) return 'auth_failed';
  if (status === 408 || status === 504) return 'timeout';
  return status >= 500 ? 'dependency_unavailable' : 'bad_request';
}

/** Seconds or an HTTP date (RFC 9110, 10.2.3), in milliseconds from `at`; null when absent or wrong. */
function retryAfter(value: string | undefined, at: Date): number | null {
  if (value === undefined) return null;
  if (/^\d{1,9}$/.test(value.trim())) return Number(value) * 1_000;
  const dateMs = Date.parse(value);
  return Number.isNaN(dateMs) ? null : Math.max(0, dateMs - at.getTime());
}
