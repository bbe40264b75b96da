/** Every code an answer can carry, and the HTTP status it maps to. */
export const statusOf = {
  invalid_request: 400,
  invalid_json: 400,
  endpoint_not_accessible: 400,
  unauthenticated: 401,
  invalid_api_key: 401,
  forbidden: 403,
  not_found: 404,
  feature_disabled: 404,
  method_not_allowed: 405,
  conflict: 409,
  name_taken: 409,
  invalid_transition: 409,
  not_eligible: 409,
  rfq_closed: 409,
  request_in_progress: 409,
  payload_too_large: 413,
  unsupported_media_type: 415,
  idempotency_mismatch: 422,
  currency_mismatch: 422,
  price_above_budget: 422,
  rate_limited: 429,
  internal_error: 500,
  unavailable: 503,
} as const;

export type ErrorCode = keyof typeof statusOf;

/** What was wrong with one field; `field` is a dotted path, e.g. `body.budget.max_price`. */
export interface FieldIssue {
  readonly field: string;
  readonly reason: string;
}

interface AppErrorOptions extends ErrorOptions {
  readonly details?: unknown;
  /** Sent as `Retry-After`, whole seconds. */
  readonly retryAfterS?: number;
}

/**
 * The only error the domain throws. `message` and `details` are shown to the caller and say what to
 * do next; `cause` is only logged.
 */
export class AppError extends Error {
  override readonly name = 'AppError';
  readonly code: ErrorCode;
  readonly details: unknown;
  readonly retryAfterS: number | undefined;

  constructor(code: ErrorCode, message: string, options: AppErrorOptions = {}) {
    super(message, options);
    this.code = code;
    this.details = options.details;
    this.retryAfterS = options.retryAfterS;
  }
}

/** Absent and not-yours answer alike, so that nobody learns what others have. */
export const notFound = (what: string): AppError =>
  new AppError('not_found', `No such ${what}, or it is not yours.`);
