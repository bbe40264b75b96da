import type { Timestamp } from '@google-cloud/firestore';

import type { Collection } from '../store/collection.ts';

const isTimestamp = (value: object): value is Timestamp =>
  'toDate' in value && typeof value.toDate === 'function';

/** Firestore's timestamps as dates, at any depth. */
function dated(value: unknown): unknown {
  if (value === null || typeof value !== 'object') return value;
  if (isTimestamp(value)) return value.toDate();
  if (Array.isArray(value)) return value.map(dated);
  if (Object.getPrototypeOf(value) !== Object.prototype) return value;
  return Object.fromEntries(Object.entries(value).map(([key, item]) => [key, dated(item)]));
}

/**
 * A stored document as its schema's type. Fields added since it was written take their defaults.
 *
 * @throws {Error} naming the path when what is stored does not fit its schema
 */
export function decode<Doc>(of: Collection<Doc>, path: string, data: unknown): Doc {
  const parsed = of.schema.safeParse(dated(data));
  if (parsed.success) return parsed.data;
  const where = parsed.error.issues.map((issue) => `${issue.path.join('.')}: ${issue.message}`);
  throw new Error(`${path} does not fit its schema: ${where.join('; ')}`);
}

/** What to store: the document as its schema reads it, so nothing unknown slips in. */
export const encode = <Doc>(of: Collection<Doc>, path: string, doc: unknown): object =>
  decode(of, path, doc) as object;
