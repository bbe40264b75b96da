import { type MatchRequest, matchSubscription } from '../matching/match.ts';
import type { CompactSubscription, Match } from '../matching/schema.ts';
import type { ProviderRegistry } from '../providers/config.ts';
import { type EligibilityDecision, decide } from './decision.ts';
import type { Demands } from './evaluate.ts';
import type { EligibilityPolicy } from './policy.ts';

/** The configuration that providers are selected under. */
export interface Settings {
  readonly policy: EligibilityPolicy;
  readonly policy_version: string;
  readonly registry: ProviderRegistry;
}

interface Selected {
  readonly subscription: CompactSubscription;
  readonly decision: EligibilityDecision;
}

/**
 * The subscription that fits a request, and whether its provider may be told: the one rule by which RFQs
 * are planned and subscribed providers are found. Null when none fits.
 */
export function select(
  match: Match,
  request: MatchRequest,
  demands: Demands,
  { policy, policy_version, registry }: Settings,
  at: Date,
): Selected | null {
  const subscription = matchSubscription(match, request, {
    cpaFilterEnabled: registry.subscriptions.cpa_filter_enabled,
  });
  if (!subscription) return null;
  const grounds = { policy, policy_version, category: request.category, demands };
  return { subscription, decision: decide(match, subscription.subscription_id, grounds, at) };
}
