import { z } from 'zod';

import { Category } from '../matching/keys.ts';
import type { Match } from '../matching/schema.ts';
import { NonNegativeDecimal } from '../money/decimal.ts';
import { TrustTier, isTierBelow } from '../providers/tier.ts';
import { reasons } from './evaluate.ts';
import { type Settings, select } from './select.ts';

const Flag = z.enum(['true', 'false']).transform((text) => text === 'true');

/** GET /internal/v1/providers/subscribed. */
export const FindSubscribed = z.object({
  category: Category,
  /** The work will have CPA terms, which are not known yet. */
  cpa_required: Flag.default(false),
  min_trust_tier: TrustTier.optional(),
  region: z.string().trim().toLowerCase().min(1).max(64).optional(),
  budget: NonNegativeDecimal.optional(),
  max_latency_ms: z.coerce.number().int().positive().optional(),
  /** Only those who are eligible, or only those who are not. */
  eligible: Flag.optional(),
});
export type FindSubscribed = z.infer<typeof FindSubscribed>;

export const SubscribedProvider = z.object({
  provider_id: z.string(),
  subscription_id: z.string(),
  webhook_url: z.string().nullable(),
  trust_score: z.number(),
  trust_tier: TrustTier,
  eligible: z.boolean(),
  reasons: z.array(z.enum(reasons)),
  cpa_profile: z
    .object({
      cpa_certified: z.boolean(),
      max_penalty_accepted: z.number(),
      supported_metrics: z.array(z.string()),
    })
    .nullable(),
  outcome_summary: z
    .object({ cpa_success_rate: z.number(), avg_bonus_rate: z.number() })
    .nullable(),
  ml_prediction: z
    .object({ predicted_success_rate: z.number(), confidence: z.number() })
    .nullable(),
});
export type SubscribedProvider = z.infer<typeof SubscribedProvider>;

const UNCERTIFIED: ReadonlySet<string> = new Set(['cpa_not_certified', 'certification_expired']);

/** A provider as the answer to `query` lists it; null when it is none of those asked for. */
export function subscribedProvider(
  match: Match,
  query: FindSubscribed,
  settings: Settings,
  at: Date,
): SubscribedProvider | null {
  const { category, cpa_required, min_trust_tier, region, budget, max_latency_ms } = query;
  if (match.status !== 'ACTIVE') return null;
  if (min_trust_tier !== undefined && isTierBelow(match.trust_tier, min_trust_tier)) return null;
  const selected = select(
    match,
    {
      category,
      max_price: budget,
      region,
      max_latency_ms,
      ...(cpa_required && { cpa: 'terms_unknown' as const }),
    },
    { cpa_certified: cpa_required && settings.registry.cpa.certification_required },
    settings,
    at,
  );
  if (!selected) return null;
  const { subscription, decision } = selected;
  // For work with CPA terms a certification is part of matching, where the registry demands one.
  if (cpa_required && decision.reasons.some((reason) => UNCERTIFIED.has(reason))) return null;
  if (query.eligible !== undefined && decision.eligible !== query.eligible) return null;
  return {
    provider_id: match.provider_id,
    subscription_id: subscription.subscription_id,
    webhook_url: subscription.webhook_url,
    trust_score: match.trust_score,
    trust_tier: match.trust_tier,
    eligible: decision.eligible,
    reasons: decision.reasons,
    cpa_profile: match.cpa && {
      cpa_certified: match.cpa.certified,
      max_penalty_accepted: match.cpa.max_penalty_accepted,
      supported_metrics: match.cpa.supported_metrics,
    },
    outcome_summary: null,
    ml_prediction: null,
  };
}
