import { describe, expect, it } from 'vitest';

import { newMatch, withProvider, withSubscriptions } from '../../../shared/matching/compose.ts';
import { PatternText, bySpecificity, isMidSegmentGlob } from '../../../shared/matching/pattern.ts';
import { aMatch, aProvider, aSubscription, at, errorOf } from '../examples.ts';

describe('a pattern', () => {
  it.each(['travel.*', '*', 'legal/*', 'legal', 'travel.*.eu', 'travel.[bs]*', '\\*literal'])(
    'may be %s',
    (pattern) => {
      expect(PatternText.safeParse(pattern).success).toBe(true);
    },
  );

  it.each(['', '**', '*.booking', '?ravel', '[t]ravel', 'travel.[', 'a\\', 'a b', 'x'.repeat(129)])(
    'may not be %j',
    (pattern) => {
      expect(PatternText.safeParse(pattern).success).toBe(false);
    },
  );

  it.each([
    ['travel.booking', false],
    ['travel.*', false],
    ['legal/*', false],
    ['*', false],
    ['travel.book*', true],
    ['travel.*.eu', true],
    ['travel.?', true],
    ['a\\.b', true],
  ])('%s has a wildcard inside a segment: %s', (pattern, isMidSegment) => {
    expect(isMidSegmentGlob(pattern)).toBe(isMidSegment);
  });

  it('is more specific when exact, then when its literal beginning is longer', () => {
    const sorted = ['*', 'travel.*', 'travel.booking.*', 'travel.booking.eu', 'travel.b*'].toSorted(
      bySpecificity,
    );
    expect(sorted).toEqual(['travel.booking.eu', 'travel.booking.*', 'travel.b*', 'travel.*', '*']);
  });
});

describe('the match document', () => {
  it('has the keys of all subscriptions, each once', () => {
    const match = withSubscriptions(
      newMatch(aProvider()),
      [aSubscription(), aSubscription({ categories: ['travel.*', 'legal'] })],
      at,
    );
    expect(match.keys).toEqual(['legal', 'travel.']);
    expect(match.version).toBe(2);
  });

  it('has no keys once its provider is archived', () => {
    const archived = withProvider(aMatch(), aProvider({ status: 'INACTIVE' }), at);
    expect(archived.keys).toEqual([]);
    expect(withSubscriptions(archived, [aSubscription()], at).keys).toEqual([]);
  });

  it('refuses a sixth pattern with a wildcard inside a segment, and names the field', () => {
    const globs = (count: number) => [
      aSubscription({ categories: Array.from({ length: count }, (_, n) => `a.x${n}*`) }),
    ];
    expect(withSubscriptions(aMatch(), globs(5), at).keys).toEqual(['a.']);
    expect(errorOf(() => withSubscriptions(aMatch(), globs(6), at))).toMatchObject({
      code: 'invalid_request',
      details: [{ field: 'body.categories' }],
    });
  });

  it('refuses more than a thousand keys', () => {
    const many = Array.from({ length: 1_001 }, (_, n) => `category.${n}`);
    expect(
      errorOf(() => withSubscriptions(aMatch(), [aSubscription({ categories: many })], at)),
    ).toMatchObject({ code: 'invalid_request' });
  });
});
