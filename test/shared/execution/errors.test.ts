import { describe, expect, it } from 'vitest';

import {
  ProviderAuthError,
  ProviderBadRequestError,
  ProviderCircuitOpenError,
  ProviderConnectionError,
  ProviderDependencyError,
  ProviderError,
  ProviderInternalError,
  ProviderQuotaExceededError,
  ProviderRateLimitError,
  ProviderResponseFormatError,
  ProviderTimeoutError,
  providerErrorOf,
} from '../../../shared/execution/errors.ts';
import { REASON_CODES, isRetryable, verdictOf } from '../../../shared/execution/reasons.ts';

/** The ten classes below ProviderError, in the order of the codes. */
const classes = [
  ['timeout', 'ProviderTimeoutError', ProviderTimeoutError],
  ['connection_error', 'ProviderConnectionError', ProviderConnectionError],
  ['rate_limited', 'ProviderRateLimitError', ProviderRateLimitError],
  ['auth_failed', 'ProviderAuthError', ProviderAuthError],
  ['quota_exhausted', 'ProviderQuotaExceededError', ProviderQuotaExceededError],
  ['bad_request', 'ProviderBadRequestError', ProviderBadRequestError],
  ['response_invalid', 'ProviderResponseFormatError', ProviderResponseFormatError],
  ['dependency_unavailable', 'ProviderDependencyError', ProviderDependencyError],
  ['circuit_open', 'ProviderCircuitOpenError', ProviderCircuitOpenError],
  ['internal_error', 'ProviderInternalError', ProviderInternalError],
] as const;

describe('the reason codes', () => {
  it('are the ten of the specification, each with its own error class', () => {
    expect(REASON_CODES).toEqual(classes.map(([code]) => code));
    expect(new Set(classes.map(([, , errorClass]) => errorClass)).size).toBe(10);
  });

  it('are worth a retry for timeout, connection_error, dependency_unavailable and rate_limited', () => {
    expect(REASON_CODES.filter(isRetryable)).toEqual([
      'timeout',
      'connection_error',
      'rate_limited',
      'dependency_unavailable',
    ]);
  });

  it('are never worth one for internal_error and circuit_open', () => {
    expect(isRetryable('internal_error')).toBe(false);
    expect(isRetryable('circuit_open')).toBe(false);
  });

  it('count against the breaker only where the provider is to blame', () => {
    expect(REASON_CODES.filter((code) => verdictOf(code) === 'failure')).toEqual([
      'timeout',
      'connection_error',
      'response_invalid',
      'dependency_unavailable',
      'internal_error',
    ]);
    const others = REASON_CODES.filter((code) => verdictOf(code) !== 'failure');
    expect([...others.map(verdictOf), verdictOf(null)]).toEqual(Array(6).fill('ignored'));
  });
});

describe('a provider error', () => {
  it.each(classes)('of %s is a %s', (code, name, errorClass) => {
    const error = providerErrorOf(code, 'it failed');
    expect(error).toBeInstanceOf(errorClass);
    expect(error).toBeInstanceOf(ProviderError);
    expect(error).toBeInstanceOf(Error);
    expect(error).toMatchObject({ name, reasonCode: code, message: 'it failed' });
    expect(error.retryable).toBe(isRetryable(code));
    expect(new errorClass('it failed')).toMatchObject({ name, reasonCode: code });
  });

  it('knows the status, the wait asked for and the cause, where there are any', () => {
    const cause = new Error('socket hang up');
    const options = { httpStatus: 429, retryAfterMs: 1_500, cause };
    expect(providerErrorOf('rate_limited', 'slow down', options)).toMatchObject(options);
    expect(providerErrorOf('timeout', 'too late')).toMatchObject({
      httpStatus: null,
      retryAfterMs: null,
    });
  });

  it('can be made of the base class, with any code', () => {
    const error = new ProviderError('rate_limited', 'slow down');
    expect(error).toMatchObject({ name: 'ProviderError', reasonCode: 'rate_limited' });
    expect(error.retryable).toBe(true);
  });
});
