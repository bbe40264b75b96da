import fc from 'fast-check';
import { describe, expect, it } from 'vitest';

import { searchTerms } from '../../../shared/providers/search-terms.ts';
import { ProviderSearch, planSearch } from '../../../shared/providers/search.ts';
import type { Provider } from '../../../shared/providers/schema.ts';
import { aProvider } from '../examples.ts';

const findable = (changes: Partial<Provider>): Provider => {
  const provider = aProvider(changes);
  return { ...provider, terms: searchTerms(provider) };
};

/** As the database answers the plan's conditions. */
function isFound(provider: Provider, query: Record<string, string>): boolean {
  const { where, isMatch } = planSearch(ProviderSearch.parse(query));
  return (
    where.every(({ field, op, value }) => {
      const stored = provider[field];
      const wanted = [value].flat();
      return Array.isArray(stored)
        ? wanted.some((one) => stored.includes(one))
        : op === '>='
          ? stored >= (wanted[0] ?? '')
          : stored === value;
    }) &&
    (isMatch?.(provider) ?? true)
  );
}

describe('the terms of a provider', () => {
  it('are its region, the words of its name, its capabilities in parts, and its description', () => {
    const given = {
      name: 'ＡＣＭＥ Travel',
      description: 'Books travel, “fast”!',
      capabilities: ['Travel.Booking', 'legal/review', 'travel.search'],
      metadata: { region: ' EU ', company: 'Hush' },
    };
    expect(searchTerms(given)).toEqual([
      'region:eu',
      'word:acme',
      'word:travel',
      'tag:travel.booking',
      'tag:travel',
      'tag:booking',
      'tag:legal/review',
      'tag:legal',
      'tag:review',
      'tag:travel.search',
      'tag:search',
      'word:books',
      'word:fast',
    ]);
  });

  it('are none of a region that is no text', () => {
    expect(searchTerms(aProvider({ metadata: { region: ['eu'] } })).join()).not.toContain('region');
  });

  it('are at most 300, each short, whatever is given', () => {
    const text = fc.string({ unit: 'grapheme', maxLength: 2_000 });
    fc.assert(
      fc.property(text, fc.array(text, { maxLength: 100 }), (description, capabilities) => {
        const terms = searchTerms(aProvider({ description, capabilities }));
        expect(terms.length).toBeLessThanOrEqual(300);
        expect(new Set(terms).size).toBe(terms.length);
        for (const term of terms) expect(term.length).toBeLessThanOrEqual('region:'.length + 64);
      }),
      { numRuns: 50 },
    );
  });
});

describe('a search', () => {
  const provider = findable({
    name: 'Kayak',
    description: 'Flights and hotels',
    capabilities: ['travel.booking', 'travel.search'],
    metadata: { region: 'eu' },
    trust_score: 0.6,
    trust_tier: 'VERIFIED',
    updated_at: '2026-02-01T00:00:00.000Z',
  });

  it.each<[Record<string, string>, boolean]>([
    [{}, true],
    [{ status: 'SUSPENDED' }, false],
    [{ capability: 'travel.booking' }, true],
    [{ capability: 'travel' }, false],
    [{ capability: 'Travel.Booking' }, false],
    [{ skill_tags: 'travel' }, true],
    [{ skill_tags: 'TRAVEL.booking' }, true],
    [{ skill_tags: 'legal, search' }, true],
    [{ skill_tags: 'legal,review' }, false],
    [{ skill_tags: 'trav' }, false],
    [{ text: 'hotels KAYAK' }, true],
    [{ text: 'hotels cruises' }, false],
    [{ text: 'booking' }, false],
    [{ region: 'EU' }, true],
    [{ region: 'us' }, false],
    [{ min_trust: '0.6' }, true],
    [{ min_trust: '0.61' }, false],
    [{ tier: 'VERIFIED' }, true],
    [{ tier: 'TRUSTED' }, false],
    [{ updated_since: '2026-02-01T01:00:00+01:00' }, true],
    [{ updated_since: '2026-02-01T00:00:00.001Z' }, false],
    [{ capability: 'travel.booking', skill_tags: 'search', text: 'kayak', region: 'eu' }, true],
    [{ capability: 'travel.booking', skill_tags: 'search', text: 'kayak', region: 'us' }, false],
    [{ capability: 'travel.booking', skill_tags: 'legal' }, false],
    [{ capability: 'travel.booking', text: 'cruises' }, false],
  ])('%o: %s', (query, expected) => {
    expect(isFound(provider, query)).toBe(expected);
  });

  it.each([
    { capability: 'a', skill_tags: 'b', text: 'c d', region: 'e', tier: 'TRUSTED' },
    { skill_tags: 'b,c', text: 'cd e', region: 'e', updated_since: '2026-01-01T00:00:00Z' },
    { region: 'e', min_trust: '0.5' },
  ])('asks the index for one list at most: %o', (query) => {
    const { where } = planSearch(ProviderSearch.parse(query));
    expect(where.filter(({ op }) => op.startsWith('array'))).toHaveLength(1);
  });

  it('asks for the longest word first, for it is likely to be the rarest', () => {
    expect(planSearch(ProviderSearch.parse({ text: 'a hotel in Lisbon' })).where).toContainEqual({
      field: 'terms',
      op: 'array-contains',
      value: 'word:lisbon',
    });
  });

  it.each([
    {},
    { capability: 'a' },
    { skill_tags: 'a,b', tier: 'TRUSTED' },
    { text: 'word' },
    { region: 'eu', updated_since: '2026-01-01T00:00:00Z' },
  ])('is answered by the index alone for %o', (query) => {
    expect(planSearch(ProviderSearch.parse(query)).isMatch).toBeNull();
  });
});
