import type { ReasonCode } from './reasons.ts';

/** One call of `executeImpl`. */
export interface Attempt {
  /** From 1, counted across reschedulings of the same task. */
  readonly attemptNumber: number;
  readonly startedAtMs: number;
  readonly durationMs: number;
  readonly outcome: 'success' | 'retry' | 'failed' | 'dead_letter';
  readonly reasonCode: ReasonCode | null;
  readonly retryable: boolean;
  readonly httpStatus: number | null;
}

/** Why a call failed, as plain data. */
export interface ProviderFailure {
  /** Null for a call that its caller cancelled. */
  readonly reasonCode: ReasonCode | null;
  /** The name of the error class, such as `ProviderTimeoutError`. */
  readonly errorType: string;
  readonly message: string;
  readonly httpStatus: number | null;
  readonly retryable: boolean;
}

interface Execution {
  readonly correlationId: string;
  readonly idempotencyKey: string;
  /** Those of this execution; earlier ones of the same task are not repeated. */
  readonly attempts: readonly Attempt[];
}

/**
 * What came of `execute`, which never throws for what a provider does:
 * - `succeeded`: the provider's answer;
 * - `failed`: `retryAt` says when another attempt is due, null when none is;
 * - `deferred`: a breaker, a cooldown or a quota refused the next attempt until `retryAt`; the refusal
 *   itself burned none;
 * - `cancelled`: the caller's signal was aborted.
 */
export type ProviderExecutionResult<Value> = Execution &
  (
    | { readonly status: 'succeeded'; readonly value: Value }
    | {
        readonly status: 'failed';
        readonly failure: ProviderFailure;
        readonly retryAt: Date | null;
      }
    | { readonly status: 'deferred'; readonly failure: ProviderFailure; readonly retryAt: Date }
    | { readonly status: 'cancelled'; readonly failure: ProviderFailure }
  );
