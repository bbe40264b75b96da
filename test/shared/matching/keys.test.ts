import fc from 'fast-check';
import { describe, expect, it } from 'vitest';

import { globMatches, isWellFormedGlob } from '../../../shared/matching/glob.ts';
import { Category, MAX_LOOKUP_KEYS, keyOf, lookupKeys } from '../../../shared/matching/keys.ts';

describe('keys', () => {
  it.each([
    ['travel.booking', 'travel.booking'],
    ['travel.*', 'travel.'],
    ['legal/*', 'legal/'],
    ['travel.*.eu', 'travel.'],
    ['travel.book*', 'travel.'],
    ['travel.[bs]*', 'travel.'],
    ['trav*', '*'],
    ['*', '*'],
    ['a\\.b.*', 'a.b.'],
    ['a\\*b', 'a*b'],
  ])('the key of %s is %s', (pattern, key) => {
    expect(keyOf(pattern)).toBe(key);
  });

  it('looks a category up by its name, its prefixes and *', () => {
    expect(lookupKeys('travel.booking/eu')).toEqual([
      'travel.booking/eu',
      'travel.',
      'travel.booking/',
      '*',
    ]);
  });

  it('finds every pattern that matches: its key is among the category’s look-up keys', () => {
    const pieces = fc.constantFrom('a', 'b', '.', '/', '*', '?', '[ab]', '[^a]', '\\a', '\\.');
    const patterns = fc.array(pieces, { maxLength: 8 }).map((parts) => parts.join(''));
    const categories = fc
      .array(fc.constantFrom('a', 'b', '.', '/'), { minLength: 1, maxLength: 8 })
      .map((characters) => characters.join(''));
    let matched = 0;
    fc.assert(
      fc.property(patterns, categories, (pattern, category) => {
        fc.pre(isWellFormedGlob(pattern) && globMatches(pattern, category));
        matched++;
        expect(lookupKeys(category)).toContain(keyOf(pattern));
      }),
      { numRuns: 2_000 },
    );
    expect(matched).toBeGreaterThanOrEqual(2_000);
  });

  it('never needs more keys than one query takes', () => {
    fc.assert(
      fc.property(
        fc.array(fc.constantFrom('a', '.', '/'), { maxLength: 60 }).map((c) => c.join('')),
        (text) => {
          fc.pre(Category.safeParse(text).success);
          expect(lookupKeys(text).length).toBeLessThanOrEqual(MAX_LOOKUP_KEYS);
        },
      ),
    );
    expect(lookupKeys(`${'a.'.repeat(27)}a`).length).toBe(MAX_LOOKUP_KEYS);
  });
});

describe('a category', () => {
  it.each(['travel.booking', 'legal/contracts', 'سفر.رزرو', 'a-b_c:1'])('may be %s', (name) => {
    expect(Category.safeParse(name).success).toBe(true);
  });

  it.each([
    '',
    'travel booking',
    'travel.*',
    'a?',
    '[a]',
    'a\\b',
    'a.'.repeat(28),
    'x'.repeat(201),
  ])('may not be %j', (name) => {
    expect(Category.safeParse(name).success).toBe(false);
  });
});
