import { describe, expect, it } from 'vitest';

import {
  newMatch,
  withProvider,
  withSubscription,
  withSubscriptions,
  withoutSubscription,
} from '../../../shared/matching/compose.ts';
import type { CompactSubscription, Match } from '../../../shared/matching/schema.ts';
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

  describe('with one more subscription', () => {
    const subscribed = (...lists: string[][]) =>
      withSubscriptions(
        aMatch(),
        lists.map((categories, n) => aSubscription({ subscription_id: `sub_${n}`, categories })),
        at,
      );
    const adding = (match: Match, changes: Partial<CompactSubscription>) =>
      withSubscription(match, aSubscription({ subscription_id: 'sub_new', ...changes }), at);
    const many = (count: number, name: (n: number) => string) =>
      Array.from({ length: count }, (_, n) => name(n));

    it('refuses a sixth pattern with a wildcard inside a segment, and names the field', () => {
      const globs = many(5, (n) => `a.x${n}*`);
      expect(adding(subscribed(), { categories: globs }).keys).toEqual(['a.']);
      // Each is tried for every request, even one that another subscription has too.
      for (const sixth of ['a.y*', 'a.x0*'])
        expect(errorOf(() => adding(subscribed(globs), { categories: [sixth] }))).toMatchObject({
          code: 'invalid_request',
          details: [{ field: 'body.categories' }],
        });
    });

    it('refuses more than a thousand patterns, although they may repeat each other', () => {
      const hundred = many(100, (n) => `category.${n}`);
      const nine = subscribed(...Array<string[]>(9).fill(hundred));
      expect(adding(nine, { categories: hundred }).keys).toHaveLength(100);
      const ten = subscribed(...Array<string[]>(10).fill(hundred));
      expect(errorOf(() => adding(ten, { categories: ['category.0'] }))).toMatchObject({
        code: 'invalid_request',
        details: [{ field: 'body.categories', reason: expect.stringMatching(/at most 1000/) }],
      });
    });

    it('refuses more than 64 KiB of text, whichever part it is in', () => {
      // 511 of 128 bytes leave 128 for address and region; a letter of two bytes counts as two.
      const full = subscribed(many(511, (n) => `é${String(n).padStart(126, 'x')}`));
      const match = { ...full, subscriptions: full.subscriptions.map(silent) };
      const rest = { webhook_url: 'h'.repeat(64), categories: ['c'.repeat(64)] };
      expect(adding(match, rest).subscriptions).toHaveLength(2);
      const { filters, cpa_preferences } = aSubscription();
      for (const more of [
        { categories: ['c'.repeat(65)] },
        { webhook_url: 'h'.repeat(65) },
        { filters: { ...filters, regions: ['x'] } },
        { cpa_preferences: { ...cpa_preferences, preferred_criteria: ['x'] } },
      ])
        expect(errorOf(() => adding(match, { ...rest, ...more }))).toMatchObject({
          code: 'conflict',
          message: expect.stringMatching(/at most 64 KiB .+ cancel a subscription/),
        });
    });

    it('stays so small that 300 are read at once', () => {
      const largest = subscribed(
        ...Array.from({ length: 100 }, (_, s) => many(10, (n) => `c${s}.${n}`.padEnd(28, 'x'))),
      );
      expect(adding(withoutSubscription(largest, 'sub_0', at), {}).subscriptions).toHaveLength(100);
      expect(JSON.stringify(largest).length).toBeLessThan(128 * 1024);
    });

    it('can always be rid of one, even beyond the limits', () => {
      const beyond = subscribed(
        many(1_500, (n) => `a.${n}`),
        many(10, (n) => `b.x${n}*`),
      );
      expect(withoutSubscription(beyond, 'sub_1', at).subscriptions).toHaveLength(1);
      expect(withoutSubscription(beyond, 'sub_0', at).keys).toEqual(['b.']);
    });
  });
});

const silent = (subscription: CompactSubscription): CompactSubscription => ({
  ...subscription,
  webhook_url: null,
});
