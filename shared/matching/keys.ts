import { z } from 'zod';

/** Firestore takes at most 30 values in `array-contains-any`; one is kept in reserve. */
export const MAX_LOOKUP_KEYS = 29;
const MAX_SEPARATORS = MAX_LOOKUP_KEYS - 2;
const MAX_CATEGORY_LENGTH = 200;

/** The key of `*`, and of patterns whose first segment has a wildcard: looked up for every category. */
const ROOT_KEY = '*';

/**
 * The kind of work a request is for, as `travel.booking.flights`. Segments are separated by `.` or `/`.
 * What a glob would read as a wildcard has no place in it.
 */
export const Category = z
  .string()
  .min(1)
  .max(MAX_CATEGORY_LENGTH)
  .regex(/^[^\s\p{Cc}*?[\]\\]*$/u, 'must not hold white space or any of * ? [ ] \\')
  .refine(
    (category) => separatorsIn(category).length <= MAX_SEPARATORS,
    `must have at most ${MAX_SEPARATORS + 1} segments`,
  );

/**
 * The index key of a pattern: what every category that it matches has as itself or as a prefix.
 * An exact pattern's key is the name; otherwise the literal text up to the last separator before the
 * first wildcard, separator included: `travel.*` → `travel.`.
 */
export function keyOf(pattern: string): string {
  const { literal, isExact } = literalPrefixOf(pattern);
  if (isExact) return literal;
  const last = separatorsIn(literal).at(-1);
  return last === undefined ? ROOT_KEY : literal.slice(0, last + 1);
}

/** The keys that a pattern may have which matches `category`: at most 29 for a valid category. */
export function lookupKeys(category: string): string[] {
  const prefixes = separatorsIn(category).map((index) => category.slice(0, index + 1));
  return [...new Set([category, ...prefixes, ROOT_KEY])];
}

const separatorsIn = (text: string): number[] =>
  [...text.matchAll(/[./]/g)].map(({ index }) => index);

/** The text before the first wildcard, with escapes resolved. */
function literalPrefixOf(pattern: string): { literal: string; isExact: boolean } {
  let literal = '';
  for (let at = 0; at < pattern.length; at++) {
    const character = pattern.charAt(at);
    if ('*?['.includes(character)) return { literal, isExact: false };
    literal += character === '\\' ? pattern.charAt(++at) : character;
  }
  return { literal, isExact: true };
}
