import { AppError } from './errors.ts';

/** A request that is well formed but refused by a rule; `field` is a dotted path from `body`. */
export const invalidField = (field: string, reason: string): AppError =>
  new AppError('invalid_request', `${field}: ${reason}`, { details: [{ field, reason }] });
