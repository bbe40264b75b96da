import { z } from 'zod';

import { GivenTimestamp } from '../time.ts';
import { type Provider, ProviderStatus } from './schema.ts';
import { regionTerm, tagTerm, wordTerm, wordsOf } from './search-terms.ts';
import { TrustTier } from './tier.ts';

const TAGS_MAX = 10;
const WORDS_MAX = 10;

const Term = z.string().trim().min(1).max(64);

/** What providers are asked for; all that is given must hold. */
export const ProviderSearch = z.object({
  status: ProviderStatus.default('ACTIVE'),
  /** A whole capability, as the provider spells it. */
  capability: z.string().min(1).max(128).optional(),
  /** Separated by commas, at least one of them: capabilities or segments of them, in any case. */
  skill_tags: z
    .string()
    .transform((text) => text.split(',').map((tag) => tag.trim()))
    .pipe(z.array(Term).max(TAGS_MAX))
    .optional(),
  min_trust: z.coerce.number().min(0).max(1).optional(),
  tier: TrustTier.optional(),
  /** Of `metadata.region`, in any case. */
  region: Term.optional(),
  /** Whole words of the name or the description, all of them, in any case and order. */
  text: z
    .string()
    .max(200)
    .transform(wordsOf)
    .pipe(
      z
        .array(Term)
        .min(1, 'must hold a word')
        .max(WORDS_MAX, `must hold at most ${WORDS_MAX} words`),
    )
    .optional(),
  /** Changed at this time or later; the oldest change comes first. */
  updated_since: GivenTimestamp.optional(),
});
export type ProviderSearch = z.infer<typeof ProviderSearch>;

interface Condition {
  readonly field: 'status' | 'trust_tier' | 'updated_at' | 'capabilities' | 'terms';
  readonly op: '==' | '>=' | 'array-contains' | 'array-contains-any';
  readonly value: string | readonly string[];
}

/** How a search is answered: what an index finds, and what is then looked for among that. */
export interface SearchPlan {
  readonly where: readonly Condition[];
  readonly orderBy: { readonly field: 'updated_at' } | undefined;
  /** Null where the index alone answers the search. */
  readonly isMatch: ((provider: Provider) => boolean) | null;
}

type Asked = readonly [Condition, (provider: Pick<Provider, 'capabilities' | 'terms'>) => boolean];

/**
 * An index holds one list, so it finds what is likely to be rarest: a capability, else the longest word,
 * else the tags, else the region. The others are looked for among that.
 */
export function planSearch(search: ProviderSearch): SearchPlan {
  const { status, min_trust: minTrust, tier, updated_since: since } = search;
  const [indexed, ...others] = listsAsked(search);
  const checks = others.map(([, holds]) => holds);
  return {
    where: [
      { field: 'status', op: '==', value: status },
      ...(tier === undefined ? [] : [{ field: 'trust_tier', op: '==', value: tier } as const]),
      ...(indexed ? [indexed[0]] : []),
      ...(since === undefined ? [] : [{ field: 'updated_at', op: '>=', value: since } as const]),
    ],
    orderBy: since === undefined ? undefined : { field: 'updated_at' },
    isMatch:
      checks.length === 0 && minTrust === undefined
        ? null
        : (provider) =>
            provider.trust_score >= (minTrust ?? 0) && checks.every((holds) => holds(provider)),
  };
}

function listsAsked({ capability, text = [], skill_tags: tags = [], region }: ProviderSearch) {
  const asked: Asked[] = [];
  if (capability !== undefined)
    asked.push([
      { field: 'capabilities', op: 'array-contains', value: capability },
      ({ capabilities }) => capabilities.includes(capability),
    ]);
  for (const word of text.toSorted((a, b) => b.length - a.length)) asked.push(one(wordTerm(word)));
  const tagTerms = [...new Set(tags.map(tagTerm))];
  if (tagTerms.length > 0)
    asked.push([
      { field: 'terms', op: 'array-contains-any', value: tagTerms },
      ({ terms }) => tagTerms.some((term) => terms.includes(term)),
    ]);
  if (region !== undefined) asked.push(one(regionTerm(region)));
  return asked;
}

const one = (term: string): Asked => [
  { field: 'terms', op: 'array-contains', value: term },
  ({ terms }) => terms.includes(term),
];
