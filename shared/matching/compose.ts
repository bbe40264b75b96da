import { AppError } from '../errors.ts';
import { invalidField } from '../invalid-field.ts';
import type { Provider } from '../providers/schema.ts';
import { keyOf } from './keys.ts';
import { isMidSegmentGlob } from './pattern.ts';
import { type CompactSubscription, MAX_PATTERNS, type Match } from './schema.ts';

const MAX_MID_SEGMENT_GLOBS = 5;
const MAX_SUBSCRIPTIONS = 100;
/** Of all that a provider writes into its subscriptions: planning reads 300 match documents at once. */
const MAX_TEXT_BYTES = 64 * 1024;

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
 * The match document with one more subscription.
 *
 * @throws {AppError} `invalid_request` naming `body.categories` when the patterns are too many or too
 *   costly, `conflict` when the subscriptions are too many or too long; over all that are active
 */
export function withSubscription(match: Match, added: CompactSubscription, at: Date): Match {
  const subscriptions = [...match.subscriptions, added];
  assertAffordable(subscriptions);
  return withSubscriptions(match, subscriptions, at);
}

/** The match document without a subscription. To end one is always possible, whatever the limits. */
export const withoutSubscription = (match: Match, subscriptionId: string, at: Date): Match =>
  withSubscriptions(
    match,
    match.subscriptions.filter(({ subscription_id }) => subscription_id !== subscriptionId),
    at,
  );

/** The match document with other subscriptions, whatever they cost. */
export const withSubscriptions = (
  match: Match,
  subscriptions: readonly CompactSubscription[],
  at: Date,
): Match => ({
  ...match,
  keys: match.status === 'INACTIVE' ? [] : keysOf(subscriptions),
  subscriptions: [...subscriptions],
  updated_at: at.toISOString(),
  version: match.version + 1,
});

/**
 * The match document with its provider's new bid_webhook, which is where subscriptions without a webhook
 * of their own deliver to; `withProvider` completes it.
 *
 * @param ownWebhooks the webhook of its own, or null, by the id of each active subscription
 * @throws {AppError} `conflict` when a subscription would deliver nowhere or is not among `ownWebhooks`,
 *   or the addresses are too long
 */
export function withBidWebhook(
  match: Match,
  bidWebhook: string | null,
  ownWebhooks: ReadonlyMap<string, string | null>,
): Match {
  const subscriptions = match.subscriptions.map((subscription) => {
    if (subscription.delivery_method !== 'webhook') return subscription;
    const own = ownWebhooks.get(subscription.subscription_id);
    if (own === undefined)
      throw new AppError('conflict', 'A subscription was added just now; repeat the request.');
    if (own === null && bidWebhook === null)
      throw new AppError(
        'conflict',
        `The subscription ${subscription.subscription_id} delivers to bid_webhook. Give another address, or cancel it first.`,
      );
    return { ...subscription, webhook_url: own ?? bidWebhook };
  });
  assertAffordable(subscriptions);
  return { ...match, subscriptions };
}

/** Counts what is stored and tried for every request, repetitions included: they cost as much. */
function assertAffordable(subscriptions: readonly CompactSubscription[]): void {
  if (subscriptions.length > MAX_SUBSCRIPTIONS)
    throw new AppError(
      'conflict',
      `A provider may have at most ${MAX_SUBSCRIPTIONS} active subscriptions; cancel one, or put more categories into one.`,
    );
  const patterns = subscriptions.flatMap(({ categories }) => categories);
  if (patterns.filter(isMidSegmentGlob).length > MAX_MID_SEGMENT_GLOBS)
    throw invalidField(
      'body.categories',
      `a provider may have at most ${MAX_MID_SEGMENT_GLOBS} patterns with a wildcard inside a segment, over all its active subscriptions; use prefix.* instead`,
    );
  if (patterns.length > MAX_PATTERNS)
    throw invalidField(
      'body.categories',
      `a provider may have at most ${MAX_PATTERNS} categories over all its active subscriptions; use prefix.* for whole branches, or cancel a subscription`,
    );
  if (textBytesOf(subscriptions) > MAX_TEXT_BYTES)
    throw new AppError(
      'conflict',
      `The active subscriptions of a provider may hold at most ${MAX_TEXT_BYTES / 1024} KiB of categories, regions, criteria and addresses; use prefix.* for whole branches, or cancel a subscription.`,
    );
}

const textBytesOf = (subscriptions: readonly CompactSubscription[]): number =>
  subscriptions
    .flatMap(({ categories, filters, cpa_preferences, webhook_url }) => [
      ...categories,
      ...filters.regions,
      ...cpa_preferences.preferred_criteria,
      webhook_url ?? '',
    ])
    .reduce((sum, text) => sum + Buffer.byteLength(text), 0);

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
