import { AppError } from '../errors.ts';

/** Where a page ended, as callers see it: opaque, but not secret. */
export const cursorOf = (values: readonly unknown[]): string =>
  Buffer.from(JSON.stringify(values)).toString('base64url');

/** @throws {AppError} `invalid_request` for anything that is not a cursor of such a query */
export function valuesOf(cursor: string, length: number): unknown[] {
  try {
    const values: unknown = JSON.parse(Buffer.from(cursor, 'base64url').toString('utf8'));
    if (Array.isArray(values) && values.length === length && values.every(isOrderable))
      return values;
  } catch {
    // Told below, like any other cursor that is not ours.
  }
  throw new AppError('invalid_request', 'query.cursor: is not a cursor; take it from next_cursor', {
    details: [{ field: 'query.cursor', reason: 'is not a cursor; take it from next_cursor' }],
  });
}

const isOrderable = (value: unknown): boolean =>
  (typeof value === 'string' && value !== '' && !value.includes('/')) || typeof value === 'number';
