import type { DeliveryState } from './delivery.ts';

const FIRST_BACK_OFF_MS = 5_000;
const MAX_BACK_OFF_MS = 15 * 60 * 1_000;
/** A receiver may ask for a longer pause than ours, but a task cannot be scheduled for ever. */
const MAX_RETRY_AFTER_MS = 24 * 60 * 60 * 1_000;
const GONE = 410;

/** What came of one call of a webhook. */
export type AttemptOutcome =
  | { readonly kind: 'delivered'; readonly http_status: number }
  | {
      readonly kind: 'failed';
      readonly reason_code: string;
      readonly message: string;
      readonly http_status: number | null;
      /** Whether another attempt may help, by the execution layer's table. */
      readonly retryable: boolean;
      /** The receiver's `Retry-After`, in milliseconds. */
      readonly retry_after_ms?: number;
    }
  | {
      /** Never sent, because a breaker is open or a quota used up; burns no attempt. */
      readonly kind: 'deferred';
      readonly reason_code: string;
      readonly message: string;
      readonly until: Date;
    };

export interface NextDelivery {
  readonly progress: DeliveryState;
  /** Including this one, if it was sent. */
  readonly attempts: number;
  /** The receiver answered that it is gone for good. */
  readonly disable_subscription: boolean;
}

/**
 * What follows from an attempt: delivered, failed, or another attempt after 5 s, doubling to 15 min
 * (or when the receiver asks for it, if later). No attempt at or after the bid deadline: a request
 * that can no longer be answered is not worth sending.
 *
 * @param before null before the first attempt
 * @param deadline the RFQ's bid deadline
 */
export function nextDelivery(
  before: { readonly attempts: number; readonly progress: DeliveryState } | null,
  outcome: AttemptOutcome,
  at: Date,
  deadline: Date,
): NextDelivery {
  const attempts = (before?.attempts ?? 0) + (outcome.kind === 'deferred' ? 0 : 1);
  // A duplicate of an earlier task reports late: what is settled stays settled.
  if (before && before.progress.state !== 'retrying')
    return { ...before, disable_subscription: false };
  if (outcome.kind === 'delivered')
    return {
      progress: {
        state: 'delivered',
        delivered_at: at.toISOString(),
        http_status: outcome.http_status,
      },
      attempts,
      disable_subscription: false,
    };
  const { reason_code, message } = outcome;
  const http_status = outcome.kind === 'failed' ? outcome.http_status : null;
  const last_failure = { reason_code, message, http_status, at: at.toISOString() };
  const next = nextAttemptAt(outcome, attempts, at);
  return {
    progress:
      next && next < deadline
        ? { state: 'retrying', next_attempt_at: next.toISOString(), last_failure }
        : { state: 'failed', failed_at: at.toISOString(), last_failure },
    attempts,
    disable_subscription: http_status === GONE,
  };
}

/** Whether a delivery ended because its receiver is gone for good. */
export const isGone = ({ progress }: { readonly progress: DeliveryState }): boolean =>
  progress.state === 'failed' && progress.last_failure.http_status === GONE;

function nextAttemptAt(
  outcome: Exclude<AttemptOutcome, { kind: 'delivered' }>,
  attempts: number,
  at: Date,
): Date | null {
  if (outcome.kind === 'deferred')
    return new Date(Math.max(outcome.until.getTime(), at.getTime() + FIRST_BACK_OFF_MS));
  if (!outcome.retryable || outcome.http_status === GONE) return null;
  const asked = Math.min(outcome.retry_after_ms ?? 0, MAX_RETRY_AFTER_MS);
  const waitMs = Math.max(backOffMs(attempts), asked);
  return new Date(at.getTime() + waitMs);
}

/** The wait after the given number of attempts, from 1. */
export const backOffMs = (attempts: number): number =>
  Math.min(FIRST_BACK_OFF_MS * 2 ** (attempts - 1), MAX_BACK_OFF_MS);
