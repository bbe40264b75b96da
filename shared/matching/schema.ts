import { z } from 'zod';

import { StoredBreaker } from '../execution/health.ts';
import { StoredDecimal } from '../money/decimal.ts';
import { PricingTier, Rate } from '../providers/cpa.ts';
import { ProviderStatus } from '../providers/schema.ts';
import { TrustTier } from '../providers/tier.ts';
import { collection } from '../store/collection.ts';
import { Timestamp } from '../time.ts';

/** Over all active subscriptions of a provider. */
export const MAX_PATTERNS = 1_000;

/** What work a subscription wants. Nothing set means no condition. */
export const Filters = z.object({
  min_budget: StoredDecimal.nullable(),
  max_latency_ms: z.int().nullable(),
  regions: z.array(z.string()),
});
export type Filters = z.infer<typeof Filters>;

export const SubscriptionCpa = z.object({
  only_cpa_enabled: z.boolean(),
  min_bonus_opportunity: StoredDecimal.nullable(),
  max_penalty_exposure: Rate.nullable(),
  preferred_criteria: z.array(z.string()),
});
export type SubscriptionCpa = z.infer<typeof SubscriptionCpa>;

export const DeliveryMethod = z.enum(['webhook', 'polling']);

/** An ACTIVE subscription, as far as matching needs it. */
export const CompactSubscription = z.object({
  subscription_id: z.string(),
  categories: z.array(z.string()),
  filters: Filters,
  cpa_preferences: SubscriptionCpa,
  delivery_method: DeliveryMethod,
  /** Resolved: the subscription's own, else the provider's bid_webhook; null for polling. */
  webhook_url: z.string().nullable(),
  created_at: Timestamp,
});
export type CompactSubscription = z.infer<typeof CompactSubscription>;

/**
 * All that is needed to decide whether one provider is told of a request, in one document, so that a
 * match costs one read. Every rule that changes a part keeps it current in the same transaction.
 */
export const Match = z.object({
  provider_id: z.string(),
  name: z.string(),
  endpoint: z.string(),
  /** The union of the subscriptions' pattern keys; empty for an archived provider. */
  keys: z.array(z.string()).max(MAX_PATTERNS),
  subscriptions: z.array(CompactSubscription),
  status: ProviderStatus,
  trust_tier: TrustTier,
  trust_score: z.number(),
  /** The newest eligibility score, 0 to 100. */
  score: z.object({ value: z.number(), source: z.string(), captured_at: Timestamp }).nullable(),
  /** Free balance by currency: deposits − withdrawals − locks + releases. */
  collateral: z.record(z.string(), StoredDecimal),
  /** What is locked by currency, so that no more can be released. */
  locked: z.record(z.string(), StoredDecimal),
  /** Null for a provider that is not CPA-enabled. */
  cpa: z
    .object({
      accepts_cpa_terms: z.boolean(),
      certified: z.boolean(),
      expires_at: Timestamp.nullable(),
      max_penalty_accepted: Rate,
      supported_metrics: z.array(z.string()),
    })
    .nullable(),
  pricing_tiers: z.array(PricingTier),
  /** Of its webhooks, for all buyers: deliveries read this document anyway. Absent while none failed. */
  breaker: StoredBreaker.optional(),
  updated_at: Timestamp,
  version: z.int().positive(),
});
export type Match = z.infer<typeof Match>;

export const matches = collection('matches', Match);
