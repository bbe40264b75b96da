import { type ReasonCode, isRetryable } from './reasons.ts';

interface ProviderErrorOptions extends ErrorOptions {
  /** The provider's HTTP status, where there was one. */
  readonly httpStatus?: number | null;
  /** How long the provider asks us to wait. */
  readonly retryAfterMs?: number | null;
  /** Where the provider's contract says otherwise than the reason. */
  readonly retryable?: boolean;
}

/**
 * What a provider call fails with, whatever it failed with at first. `message` may reach logs, dead
 * letters and callers: it never holds a credential or a body.
 */
export class ProviderError extends Error {
  override readonly name: string = 'ProviderError';
  readonly reasonCode: ReasonCode;
  readonly httpStatus: number | null;
  readonly retryAfterMs: number | null;
  readonly retryable: boolean;

  constructor(reasonCode: ReasonCode, message: string, options: ProviderErrorOptions = {}) {
    super(message, options);
    this.reasonCode = reasonCode;
    this.httpStatus = options.httpStatus ?? null;
    this.retryAfterMs = options.retryAfterMs ?? null;
    this.retryable = options.retryable ?? isRetryable(reasonCode);
  }
}

/** It did not answer within its time. */
export class ProviderTimeoutError extends ProviderError {
  override readonly name = 'ProviderTimeoutError';
  constructor(message: string, options?: ProviderErrorOptions) {
    super('timeout', message, options);
  }
}

/** No connection could be made, or it broke. */
export class ProviderConnectionError extends ProviderError {
  override readonly name = 'ProviderConnectionError';
  constructor(message: string, options?: ProviderErrorOptions) {
    super('connection_error', message, options);
  }
}

/** The provider asks us to slow down. */
export class ProviderRateLimitError extends ProviderError {
  override readonly name = 'ProviderRateLimitError';
  constructor(message: string, options?: ProviderErrorOptions) {
    super('rate_limited', message, options);
  }
}

/** The credential is wrong, expired, or lacks a right. */
export class ProviderAuthError extends ProviderError {
  override readonly name = 'ProviderAuthError';
  constructor(message: string, options?: ProviderErrorOptions) {
    super('auth_failed', message, options);
  }
}

/** Our own quota for the window is used up, or the provider says that the account's is. */
export class ProviderQuotaExceededError extends ProviderError {
  override readonly name = 'ProviderQuotaExceededError';
  constructor(message: string, options?: ProviderErrorOptions) {
    super('quota_exhausted', message, options);
  }
}

/** The provider will never take this request as it is. */
export class ProviderBadRequestError extends ProviderError {
  override readonly name = 'ProviderBadRequestError';
  constructor(message: string, options?: ProviderErrorOptions) {
    super('bad_request', message, options);
  }
}

/** The answer is not what the provider's contract says. */
export class ProviderResponseFormatError extends ProviderError {
  override readonly name = 'ProviderResponseFormatError';
  constructor(message: string, options?: ProviderErrorOptions) {
    super('response_invalid', message, options);
  }
}

/** The provider, or something behind it, is down. */
export class ProviderDependencyError extends ProviderError {
  override readonly name = 'ProviderDependencyError';
  constructor(message: string, options?: ProviderErrorOptions) {
    super('dependency_unavailable', message, options);
  }
}

/** A fault of ours. */
export class ProviderInternalError extends ProviderError {
  override readonly name = 'ProviderInternalError';
  constructor(message: string, options?: ProviderErrorOptions) {
    super('internal_error', message, options);
  }
}

/** The breaker is open: nothing was sent. */
export class ProviderCircuitOpenError extends ProviderError {
  override readonly name = 'ProviderCircuitOpenError';
  constructor(message: string, options?: ProviderErrorOptions) {
    super('circuit_open', message, options);
  }
}

const classOf: Record<
  ReasonCode,
  new (message: string, options?: ProviderErrorOptions) => ProviderError
> = {
  timeout: ProviderTimeoutError,
  connection_error: ProviderConnectionError,
  rate_limited: ProviderRateLimitError,
  auth_failed: ProviderAuthError,
  quota_exhausted: ProviderQuotaExceededError,
  bad_request: ProviderBadRequestError,
  response_invalid: ProviderResponseFormatError,
  dependency_unavailable: ProviderDependencyError,
  circuit_open: ProviderCircuitOpenError,
  internal_error: ProviderInternalError,
};

/** The error of the class that belongs to `reasonCode`. */
export const providerErrorOf = (
  reasonCode: ReasonCode,
  message: string,
  options?: ProviderErrorOptions,
): ProviderError => new classOf[reasonCode](message, options);
