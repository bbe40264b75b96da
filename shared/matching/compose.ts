import { AppError } from '../errors.ts';
import { invalidField } from '../invalid-field.ts';
import type { Provider } from '../providers/schema.ts';
import { keyOf } from './keys.ts';
import { isMidSegmentGlob } from './pattern.ts';
import { type CompactSubscription, MAX_KEYS, type Match } from './schema.ts';

const MAX_MID_SEGMENT_GLOBS = 5;
const MAX_SUBSCRIPTIONS = 100;

/** The match document of a provider that has just registered. */
export const newMatch = (provider: Provider): Match => ({
  ...partsOf(provider),
  provider_id: provider.provider_id,
  keys: [],
  subscriptions: [],
  score: null,
  collateral: {},
  locked: {},
  updated_at: provider.updated_at,
  version: 1,
});

/** The match document after its provider changed. */
export const withProvider = (match: Match, provider: Provider, at: Date): Match => ({
  ...match,
  ...partsOf(provider),
  keys: provider.status === 'INACTIVE' ? [] : keysOf(match.subscriptions),
  updated_at: at.toISOString(),
  version: match.version + 1,
});

/**
 * The match document with other subscriptions.
 *
 * @throws {AppError} `invalid_request` naming `body.categories` when they are too many or too costly
 */
export function withSubscriptions(
  match: Match,
  subscriptions: readonly CompactSubscription[],
  at: Date,
): Match {
  const globs = subscriptions.flatMap(({ categories }) => categories.filter(isMidSegmentGlob));
  if (new Set(globs).size > MAX_MID_SEGMENT_GLOBS)
    throw invalidField(
      'body.categories',
      `a provider may have at most ${MAX_MID_SEGMENT_GLOBS} patterns with a wildcard inside a segment; use prefix.* instead`,
    );
  if (subscriptions.length > MAX_SUBSCRIPTIONS)
    throw new AppError(
      'conflict',
      `A provider may have at most ${MAX_SUBSCRIPTIONS} active subscriptions; cancel one, or put more categories into one.`,
    );
  const keys = keysOf(subscriptions);
  if (keys.length > MAX_KEYS)
    throw invalidField(
      'body.categories',
      `a provider may subscribe to at most ${MAX_KEYS} different categories; use prefix.* for whole branches`,
    );
  return {
    ...match,
    keys: match.status === 'INACTIVE' ? [] : keys,
    subscriptions: [...subscriptions],
    updated_at: at.toISOString(),
    version: match.version + 1,
  };
}

const keysOf = (subscriptions: readonly CompactSubscription[]): string[] =>
  [...new Set(subscriptions.flatMap(({ categories }) => categories.map(keyOf)))].toSorted();

const partsOf = ({
  name,
  endpoint,
  status,
  trust_tier,
  trust_score,
  cpa_enabled,
  cpa_profile,
  pricing_tiers,
}: Provider) => ({
  name,
  endpoint,
  status,
  trust_tier,
  trust_score,
  cpa:
    cpa_enabled && cpa_profile
      ? {
          accepts_cpa_terms: cpa_profile.accepts_cpa_terms,
          certified: cpa_profile.cpa_certified,
          expires_at: cpa_profile.certification_expires,
          max_penalty_accepted: cpa_profile.max_penalty_accepted,
          supported_metrics: cpa_profile.supported_metrics,
        }
      : null,
  pricing_tiers,
});
