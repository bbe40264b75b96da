import type { DeliveryState } from './delivery.ts';

/** Nothing is deferred by less: a breaker whose probe is under way is not asked over and over. */
const DEFERRED_MS = 5_000;
const GONE = 410;

/** What came of one call of a webhook. */
export type AttemptOutcome =
  | { readonly kind: 'delivered'; readonly http_status: number; readonly attempts: number }
  | {
      readonly kind: 'failed';
      readonly reason_code: string;
      readonly message: string;
      readonly http_status: number | null;
      /** Calls that were made; none where there was no time left for one. */
      readonly attempts: number;
      /** When the execution layer would try again; null for never. */
      readonly retry_at: Date | null;
    }
  | {
      /** A breaker that is open or a quota that is used up refused the next attempt; that burns none. */
      readonly kind: 'deferred';
      readonly attempts: number;
      readonly reason_code: string;
      readonly message: string;
      readonly until: Date;
    }
  /** Never sent, and never will be: there is nobody to tell, or nothing to tell any more. */
  | { readonly kind: 'pointless'; readonly reason_code: string; readonly message: string };

export interface NextDelivery {
  readonly progress: DeliveryState;
  /** Including those just made. */
  readonly attempts: number;
  /** The receiver answered that it is gone for good. */
  readonly disable_subscription: boolean;
}

/**
 * What follows from an attempt: delivered, failed, or another attempt when the execution layer says. None
 * at or after the bid deadline: a request that can no longer be answered is not worth sending.
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
  // A duplicate of an earlier task reports late: what is settled stays settled.
  if (before && before.progress.state !== 'retrying')
    return { ...before, disable_subscription: false };
  const made = outcome.kind === 'pointless' ? 0 : outcome.attempts;
  const attempts = (before?.attempts ?? 0) + made;
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
  const next = nextAttemptAt(outcome, at);
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
  at: Date,
): Date | null {
  switch (outcome.kind) {
    case 'failed':
      return outcome.retry_at;
    case 'deferred':
      return new Date(Math.max(outcome.until.getTime(), at.getTime() + DEFERRED_MS));
    case 'pointless':
      return null;
  }
}
