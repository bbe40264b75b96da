import { decimalToNumber } from '../money/decimal.ts';
import type { Provider } from './schema.ts';

/** What the registry knows beyond the provider's own document; null while it knows nothing. */
export interface ProviderFacts<SubscriptionView> {
  readonly subscriptions: readonly SubscriptionView[];
  readonly stats?: {
    readonly total_contracts: number;
    readonly success_rate: number | null;
    readonly avg_response_time_ms: number | null;
  };
  readonly outcome_summary?: Readonly<Record<string, unknown>> | null;
  readonly ml_prediction?: {
    readonly predicted_success_rate: number;
    readonly confidence: number;
    readonly risk_level: string;
  } | null;
}

const noStats = { total_contracts: 0, success_rate: null, avg_response_time_ms: null };

/** GET /v1/providers/{id} for everybody: no e-mail, metadata, webhooks or risk preferences. */
export const publicView = <View>(provider: Provider, facts: ProviderFacts<View>) => ({
  ...shared(provider, facts),
  cpa_profile: provider.cpa_profile && {
    accepts_cpa_terms: provider.cpa_profile.accepts_cpa_terms,
    max_penalty_accepted: provider.cpa_profile.max_penalty_accepted,
    verification_support: provider.cpa_profile.verification_support,
    supported_metrics: provider.cpa_profile.supported_metrics,
    cpa_certified: provider.cpa_profile.cpa_certified,
    certification_expires: provider.cpa_profile.certification_expires,
  },
});

/** GET /v1/providers/{id} for the provider itself and the operator. */
export const ownerView = <View>(provider: Provider, facts: ProviderFacts<View>) => ({
  ...shared(provider, facts),
  status_reason: provider.status_reason ?? null,
  bid_webhook: provider.bid_webhook,
  contact_email: provider.contact_email,
  metadata: provider.metadata,
  verifications: provider.verifications,
  cpa_profile: provider.cpa_profile,
  pricing_tiers: provider.pricing_tiers.map((tier) => ({
    ...tier,
    base_price_range: tier.base_price_range.map(decimalToNumber),
    min_bonus_for_cpa: decimalToNumber(tier.min_bonus_for_cpa),
  })),
  version: provider.version,
});

const shared = <View>(provider: Provider, facts: ProviderFacts<View>) => ({
  provider_id: provider.provider_id,
  name: provider.name,
  description: provider.description,
  endpoint: provider.endpoint,
  status: provider.status,
  trust_score: provider.trust_score,
  trust_tier: provider.trust_tier,
  capabilities: provider.capabilities,
  subscriptions: facts.subscriptions,
  stats: facts.stats ?? noStats,
  cpa_enabled: provider.cpa_enabled,
  cpa_status: provider.cpa_status,
  outcome_summary: facts.outcome_summary ?? null,
  ml_prediction: facts.ml_prediction ?? null,
  created_at: provider.created_at,
  updated_at: provider.updated_at,
  verified_at: provider.verified_at,
});
