import { AppError } from '../errors.ts';

/** Where a page ended, as callers see it: opaque, but not secret. */
export const cursorOf = (values: readonly unknown[]): string =>
  Buffer.from(JSON.stringify(values)).toString('base64url');

/**
 * The values of a cursor: what the query orders by, then the id of the document.
 *
 * @throws {AppError} `invalid_request` for anything that is not a cursor of such a query
 */
export function valuesOf(cursor: string, length: number): unknown[] {
  try {
    const values: unknown = JSON.parse(Buffer.from(cursor, 'base64url').toString('utf8'));
    if (Array.isArray(values) && values.length === length && values.every(isOrderable))
      if (isDocumentId(values.at(-1))) return values;
  } catch {
    // Told below, like any other cursor that is not ours.
  }
  throw new AppError('invalid_request', 'query.cursor: is not a cursor; take it from next_cursor', {
    details: [{ field: 'query.cursor', reason: 'is not a cursor; take it from next_cursor' }],
  });
}

const isOrderable = (value: unknown): boolean =>
  typeof value === 'string' || typeof value === 'number';

const isDocumentId = (value: unknown): boolean =>
  typeof value === 'string' && /^(?!\.\.?$|__.*__$)[^/]+$/.test(value);
