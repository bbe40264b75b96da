/** Why a provider call did not succeed: the canonical codes. A cancelled call has none. */
export const REASON_CODES = [
  'timeout',
  'connection_error',
  'rate_limited',
  'auth_failed',
  'quota_exhausted',
  'bad_request',
  'response_invalid',
  'dependency_unavailable',
  'circuit_open',
  'internal_error',
] as const;
export type ReasonCode = (typeof REASON_CODES)[number];

/** What one call tells the circuit breaker. `ignored` neither counts nor resets, and frees its probe. */
export type Verdict = 'success' | 'failure' | 'ignored';

const RETRYABLE: ReadonlySet<ReasonCode> = new Set([
  'timeout',
  'connection_error',
  'dependency_unavailable',
  'rate_limited',
]);

/** Failures that say something about the provider's health, not about us or our request. */
const COUNTED: ReadonlySet<ReasonCode> = new Set([
  'timeout',
  'connection_error',
  'dependency_unavailable',
  'response_invalid',
  'internal_error',
]);

/** Whether the same call may succeed a moment later. */
export const isRetryable = (reason: ReasonCode): boolean => RETRYABLE.has(reason);

/** @param reason null for a cancelled call */
export const verdictOf = (reason: ReasonCode | null): Verdict =>
  reason !== null && COUNTED.has(reason) ? 'failure' : 'ignored';
