import type { RetryPolicy } from './policy.ts';

/**
 * The wait after the `attempt`-th call failed: doubling from `baseDelayMs` up to `maxDelayMs`, then
 * spread by `jitterRatio` either way, so that it may exceed `maxDelayMs` by that much.
 *
 * @see https://github.com/grpc/proposal/blob/master/A6-client-retries.md#exponential-backoff
 * @param attempt from 1
 * @param random in [0, 1)
 */
export function delayMs(policy: RetryPolicy, attempt: number, random: number): number {
  // Capped, because 2^1024 is Infinity, and Infinity times a base of 0 is no number.
  const doublings = Math.min(attempt - 1, 1_000);
  const cappedMs = Math.min(policy.maxDelayMs, policy.baseDelayMs * 2 ** doublings);
  return cappedMs * (1 + (2 * random - 1) * policy.jitterRatio);
}

/** A call that failed, and what bounds the next one. */
export interface FailedCall {
  readonly policy: RetryPolicy;
  /** This one included, over in-process retries and reschedulings together. */
  readonly attemptsMade: number;
  readonly retryable: boolean;
  /** What the provider asked for; null when it did not. */
  readonly retryAfterMs: number | null;
  /** In [0, 1). */
  readonly random: number;
  readonly nowMs: number;
  /** When the time budget of this execution ends. */
  readonly deadlineMs: number;
  /** When the work itself has become pointless; null for never. */
  readonly notAfterMs: number | null;
  /** Whether this execution may make another: a probe may not, nor one whose retry budget is spent. */
  readonly mayWait: boolean;
}

/**
 * - `stop`: no further attempt;
 * - `wait`: here, for `ms`; with 0 no timer is needed;
 * - `later`: not in this execution, which has no time or leave for it: its caller may at `atMs`.
 *
 * Both are whole milliseconds.
 */
export type NextStep =
  | { readonly kind: 'stop' }
  | { readonly kind: 'wait'; readonly ms: number }
  | { readonly kind: 'later'; readonly atMs: number };

/** What follows a failed call. The wait is ours or the provider's, whichever is longer. */
export function nextStep(failed: FailedCall): NextStep {
  const { policy, attemptsMade, nowMs, notAfterMs } = failed;
  if (!failed.retryable || attemptsMade >= policy.maxAttempts) return { kind: 'stop' };
  const ownMs = delayMs(policy, attemptsMade, failed.random);
  const ms = Math.ceil(Math.max(ownMs, failed.retryAfterMs ?? 0));
  const atMs = nowMs + ms;
  if (notAfterMs !== null && atMs >= notAfterMs) return { kind: 'stop' };
  return failed.mayWait && ms <= policy.inProcessWaitMs && atMs < failed.deadlineMs
    ? { kind: 'wait', ms }
    : { kind: 'later', atMs };
}
