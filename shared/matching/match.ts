import { compareDecimals } from '../money/decimal.ts';
import type { PricingTier } from '../providers/cpa.ts';
import { globMatches } from './glob.ts';
import { bySpecificity } from './pattern.ts';
import type { CompactSubscription, Match } from './schema.ts';

/** What a request offers and asks, as far as it is known; what is absent filters nothing. */
export interface MatchRequest {
  readonly category: string;
  /** Decimal, in the request's own currency: `min_budget` has none to compare. */
  readonly max_price?: string | undefined;
  /** Lower case. */
  readonly region?: string | undefined;
  readonly max_latency_ms?: number | undefined;
  /**
   * Null for a request without CPA terms, absent when that is not known. `terms_unknown` is work that will
   * have some: it finds whoever takes CPA terms at all, and leaves bonus and penalty for later.
   */
  readonly cpa?: OfferedCpa | 'terms_unknown' | null;
}

export interface OfferedCpa {
  /** The most that can be earned on top of the price, decimal. */
  readonly bonus: string;
  /** The share of the price at risk, 0 to 1. */
  readonly penalty_rate: number;
  readonly metrics: readonly string[];
}

/**
 * The subscription through which a provider is told of a request: among those whose categories and
 * filters fit, the one that prefers most of its criteria, then the most specific, then the oldest.
 * Null when none fits. Says nothing about eligibility.
 *
 * @param options.cpaFilterEnabled `subscriptions.cpa_filter_enabled` of the configuration
 */
export function matchSubscription(
  match: Pick<Match, 'subscriptions' | 'pricing_tiers' | 'cpa'>,
  request: MatchRequest,
  { cpaFilterEnabled = true }: { readonly cpaFilterEnabled?: boolean } = {},
): CompactSubscription | null {
  const candidates = match.subscriptions.flatMap((subscription) => {
    const pattern = subscription.categories
      .filter((category) => globMatches(category, request.category))
      .toSorted(bySpecificity)[0];
    const wanted =
      pattern !== undefined &&
      passesFilters(subscription, request) &&
      (request.cpa === 'terms_unknown'
        ? isCpaProvider(match, request.category)
        : !cpaFilterEnabled || passesCpa(match, subscription, request.category, request.cpa));
    return wanted ? [{ subscription, pattern, preferred: preferredIn(subscription, request) }] : [];
  });
  const [best] = candidates.toSorted(
    (a, b) =>
      b.preferred - a.preferred ||
      bySpecificity(a.pattern, b.pattern) ||
      compareText(a.subscription.created_at, b.subscription.created_at) ||
      compareText(a.subscription.subscription_id, b.subscription.subscription_id),
  );
  return best?.subscription ?? null;
}

/**
 * `min_budget` is the least price worth hearing of; `max_latency_ms` the longest the provider may need,
 * so a request that allows less time is not for it; `regions` where it works.
 */
function passesFilters(
  { filters: { min_budget, max_latency_ms, regions } }: CompactSubscription,
  request: MatchRequest,
): boolean {
  const { max_price, max_latency_ms: allowed_ms, region } = request;
  if (min_budget !== null && max_price !== undefined && compareDecimals(max_price, min_budget) < 0)
    return false;
  if (max_latency_ms !== null && allowed_ms !== undefined && allowed_ms < max_latency_ms)
    return false;
  return regions.length === 0 || region === undefined || regions.includes(region);
}

/** Set up for CPA, and takes it in this category. No preference of a subscription, which could be off. */
const isCpaProvider = (match: Pick<Match, 'pricing_tiers' | 'cpa'>, category: string): boolean =>
  match.cpa !== null && acceptsCpa(match, tierFor(match.pricing_tiers, category));

/** Neither profile nor tier refuses. A tier accepts by default, so that it cannot overrule the profile. */
const acceptsCpa = ({ cpa }: Pick<Match, 'cpa'>, tier: PricingTier | undefined): boolean =>
  cpa?.accepts_cpa_terms !== false && tier?.accepts_cpa !== false;

function passesCpa(
  match: Pick<Match, 'pricing_tiers' | 'cpa'>,
  { cpa_preferences }: CompactSubscription,
  category: string,
  offered: OfferedCpa | null | undefined,
): boolean {
  if (offered === undefined) return true;
  if (offered === null) return !cpa_preferences.only_cpa_enabled;
  const tier = tierFor(match.pricing_tiers, category);
  const leastBonuses = [cpa_preferences.min_bonus_opportunity, tier?.min_bonus_for_cpa ?? null];
  const highestRates = [cpa_preferences.max_penalty_exposure, tier?.max_penalty_for_cpa ?? null];
  return (
    acceptsCpa(match, tier) &&
    leastBonuses.every((least) => least === null || compareDecimals(offered.bonus, least) >= 0) &&
    highestRates.every((highest) => highest === null || offered.penalty_rate <= highest)
  );
}

/** The pricing tier for a category: the most specific that fits, then the lowest `priority`. */
export const tierFor = (tiers: readonly PricingTier[], category: string): PricingTier | undefined =>
  tiers
    .filter((tier) => globMatches(tier.category, category))
    .toSorted((a, b) => bySpecificity(a.category, b.category) || a.priority - b.priority)[0];

const preferredIn = ({ cpa_preferences }: CompactSubscription, { cpa }: MatchRequest): number =>
  cpa && cpa !== 'terms_unknown'
    ? cpa.metrics.filter((metric) => cpa_preferences.preferred_criteria.includes(metric)).length
    : 0;

const compareText = (a: string, b: string): number => (a < b ? -1 : a > b ? 1 : 0);
