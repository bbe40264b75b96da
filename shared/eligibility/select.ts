import { type MatchRequest, matchSubscription } from '../matching/match.ts';
import type { CompactSubscription, Match } from '../matching/schema.ts';
import type { ProviderRegistry } from '../providers/config.ts';
import type { TrustTier } from '../providers/tier.ts';
import { type EligibilityDecision, decide } from './decision.ts';
import type { EligibilityPolicy } from './policy.ts';

/** What providers are selected under. */
export interface SelectionGrounds {
  readonly policy: EligibilityPolicy;
  readonly policy_version: string;
  readonly registry: ProviderRegistry;
}

export interface Selected {
  readonly subscription: CompactSubscription;
  readonly decision: EligibilityDecision;
}

/**
 * Whether a provider has a subscription that fits a request, and if so whether it may be told: the one rule
 * by which RFQs are planned and subscribed providers are found. Null when none fits.
 *
 * @param minTier what the request asks beyond the policy
 */
export function select(
  match: Match,
  request: MatchRequest,
  minTier: TrustTier | undefined,
  { policy, policy_version, registry }: SelectionGrounds,
  at: Date,
): Selected | null {
  const subscription = matchSubscription(match, request, {
    cpaFilterEnabled: registry.subscriptions.cpa_filter_enabled,
  });
  if (!subscription) return null;
  const grounds = { policy, policy_version, category: request.category, demands };
  return {
    subscription,
    decision: decide(match, subscription.subscription_id, grounds, at),
  };
}
