import fc from 'fast-check';
import { describe, expect, it } from 'vitest';

import { globMatches, isWellFormedGlob } from '../../../shared/matching/glob.ts';
import { matchesByBacktracking } from './backtracking-matcher.ts';

const joined = (pieces: readonly string[], maxLength: number) =>
  fc.array(fc.constantFrom(...pieces), { maxLength }).map((parts) => parts.join(''));

const names = joined(['a', 'b', '-', '.', '/'], 8);
const patterns = fc.oneof(
  joined(['a', 'b', '.', '/', '*', '*', '?', '[ab]', '[^a]', '[a-b]', '[*]', '\\a', '\\*'], 7),
  joined(Array.from('ab-./*?[]^\\'), 9),
);

describe('globs', () => {
  it.each([
    ['travel.*', 'travel.booking', true],
    ['travel.*', 'travel.booking.flights', true],
    ['travel.*', 'travel.', true],
    ['travel.*', 'travel', false],
    ['travel.*', 'travelx', false],
    ['travel.*', 'TRAVEL.BOOKING', false],
    ['travel.*', 'travel/booking', false],
    ['*', 'travel.booking', true],
    ['*', '', true],
    ['*', 'travel/booking', false],
    ['legal/*', 'legal/contracts', true],
    ['legal/*', 'legal.contracts', false],
    ['legal/*', 'legal/contracts/eu', false],
    ['legal', 'legal', true],
    ['travel.*.eu', 'travel.booking.eu', true],
    ['travel.?ooking', 'travel.booking', true],
    ['a?b', 'a/b', false],
    ['a*/b', 'ac/b', true],
  ])('%s and %s: %s', (pattern, name, matches) => {
    expect(globMatches(pattern, name)).toBe(matches);
  });

  // From the test table of Go's path.Match.
  it.each([
    ['abc', 'abc', true],
    ['*c', 'abc', true],
    ['a*', 'a', true],
    ['a*', 'ab/c', false],
    ['a*/b', 'abc/b', true],
    ['a*/b', 'a/c/b', false],
    ['a*b*c*d*e*/f', 'axbxcxdxe/f', true],
    ['a*b*c*d*e*/f', 'axbxcxdxexxx/f', true],
    ['a*b*c*d*e*/f', 'axbxcxdxe/xxx/f', false],
    ['a*b*c*d*e*/f', 'axbxcxdxexxx/fff', false],
    ['a*b?c*x', 'abxbbxdbxebxczzx', true],
    ['a*b?c*x', 'abxbbxdbxebxczzy', false],
    ['ab[c]', 'abc', true],
    ['ab[b-d]', 'abc', true],
    ['ab[e-g]', 'abc', false],
    ['ab[^c]', 'abc', false],
    ['ab[^b-d]', 'abc', false],
    ['ab[^e-g]', 'abc', true],
    ['a\\*b', 'a*b', true],
    ['a\\*b', 'ab', false],
    ['a?b', 'a☺b', true],
    ['a[^a]b', 'a☺b', true],
    ['a???b', 'a☺b', false],
    ['[a-ζ]*', 'α', true],
    ['*[a-ζ]', 'A', false],
    ['a*b', 'a/b', false],
    ['[\\]a]', ']', true],
    ['[\\-]', '-', true],
    ['[x\\-]', 'x', true],
    ['[x\\-]', '-', true],
    ['[x\\-]', 'z', false],
    ['[\\-x]', 'a', false],
    ['*x', 'xxx', true],
  ])('as in Go: %s and %s: %s', (pattern, name, matches) => {
    expect(globMatches(pattern, name)).toBe(matches);
  });

  it.each([
    '[]a]',
    '[-]',
    '[x-]',
    '[-x]',
    '\\',
    '[a-b-c]',
    '[',
    '[^',
    '[^bc',
    'a[',
    'a[]',
    'travel.[',
  ])('calls %s malformed, as Go does', (pattern) => {
    expect(isWellFormedGlob(pattern)).toBe(false);
    expect(() => globMatches(pattern, 'a')).toThrow(SyntaxError);
  });

  it('settles for the leftmost place after a *, as Go does where a class takes the /', () => {
    expect(matchesByBacktracking('*[^x]*b', 'aa/b')).toBe(true);
    expect(globMatches('*[^x]*b', 'aa/b')).toBe(false);
  });

  it('agrees with a matcher that tries everything', () => {
    fc.assert(
      fc.property(patterns, names, (pattern, name) => {
        fc.pre(!(pattern.includes('[') && name.includes('/')));
        const expected = matchesByBacktracking(pattern, name);
        const found = isWellFormedGlob(pattern) ? globMatches(pattern, name) : null;
        expect(found).toBe(expected);
      }),
      { numRuns: 20_000 },
    );
  });

  it('never backtracks, however hostile the pattern', () => {
    const started = performance.now();
    expect(globMatches(`${'a*'.repeat(2_000)}b`, 'a'.repeat(10_000))).toBe(false);
    expect(globMatches(`${'*a'.repeat(2_000)}`, `${'a'.repeat(10_000)}b`)).toBe(false);
    expect(performance.now() - started).toBeLessThan(2_000);
  });
});
