import { z } from 'zod';

import { isWellFormedGlob } from './glob.ts';

const MAX_PATTERN_LENGTH = 128;
const WILDCARD = /[*?[\\]/;
/** An exact name, or a literal prefix that ends in a separator and one `*` after it. */
const PLAIN_PATTERN = /^(?:[^*?[\\]+|[^*?[\\]*[./]\*|\*)$/;

/**
 * A category pattern: a glob that begins with a literal, or a lone `*`. One that began with another
 * wildcard could not be found by a key, and would be tried for every request.
 */
export const PatternText = z
  .string()
  .min(1)
  .max(MAX_PATTERN_LENGTH)
  .regex(/^[^\s\p{Cc}]*$/u, 'must not hold white space')
  .refine(isWellFormedGlob, 'is a malformed pattern: close every [ and end with no lone backslash')
  .refine(
    (text) => text === '*' || !/^[*?[]/.test(text),
    'must begin with a literal, as in travel.*, or be * alone',
  );

/** Whether a pattern has a wildcard elsewhere than in a final `.*`; those cost more to match. */
export const isMidSegmentGlob = (pattern: string): boolean => !PLAIN_PATTERN.test(pattern);

const isExact = (pattern: string): boolean => !WILDCARD.test(pattern);

/**
 * Orders patterns that match one category, most specific first: exact names, then by the length of the
 * literal text before the first wildcard, then by the text itself so that the order is total.
 */
export function bySpecificity(a: string, b: string): number {
  return (
    Number(isExact(b)) - Number(isExact(a)) ||
    literalLength(b) - literalLength(a) ||
    b.length - a.length ||
    (a < b ? -1 : a > b ? 1 : 0)
  );
}

const literalLength = (pattern: string): number => {
  const first = pattern.search(WILDCARD);
  return first === -1 ? pattern.length : first;
};
