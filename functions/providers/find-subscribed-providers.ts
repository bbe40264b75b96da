import { z } from 'zod';

import { decide } from '../../shared/eligibility/decision.ts';
import { reasons } from '../../shared/eligibility/evaluate.ts';
import { Category, lookupKeys } from '../../shared/matching/keys.ts';
import { matchSubscription } from '../../shared/matching/match.ts';
import { matches } from '../../shared/matching/schema.ts';
import { NonNegativeDecimal } from '../../shared/money/decimal.ts';
import { TrustTier, isTierBelow } from '../../shared/providers/tier.ts';
import { endpoint } from '../../shared/runtime/endpoint.ts';
import { eligibilityPolicy, providerRegistry } from '../../shared/runtime/settings.ts';

const Flag = z.enum(['true', 'false']).transform((text) => text === 'true');

/** Candidates that one request reads at most; a wider category is paged. */
const CANDIDATES = 1_000;

const UNCERTIFIED: ReadonlySet<string> = new Set(['cpa_not_certified', 'certification_expired']);

export default endpoint('find-subscribed-providers', {
  summary: 'Find the ACTIVE providers whose subscriptions match, each once',
  description:
    'Reads one document per candidate. With `next_cursor` set there are more candidates; pass it as `cursor`.',
  query: z.object({
    category: Category,
    cpa_required: Flag.default(false),
    min_trust_tier: TrustTier.optional(),
    region: z.string().trim().toLowerCase().min(1).max(64).optional(),
    budget: NonNegativeDecimal.optional(),
    max_latency_ms: z.coerce.number().int().positive().optional(),
    /** Only those who are eligible, or only those who are not. */
    eligible: Flag.optional(),
    cursor: z.string().max(1_024).optional(),
  }),
  reply: z.object({
    category: z.string(),
    cpa_required: z.boolean(),
    count: z.int(),
    providers: z.array(
      z.object({
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
      }),
    ),
    next_cursor: z.string().nullable(),
  }),
  handle: async ({ query }, { store, at }) => {
    const { category, cpa_required, min_trust_tier: minTier, region, budget } = query;
    const registry = providerRegistry();
    const request = {
      category,
      ...(budget !== undefined && { max_price: budget }),
      ...(region !== undefined && { region }),
      ...(query.max_latency_ms !== undefined && { max_latency_ms: query.max_latency_ms }),
    };
    const grounds = {
      ...eligibilityPolicy(),
      category,
      demands: { cpa_certified: cpa_required && registry.cpa.certification_required },
    };
    const page = await store.query({
      collection: matches,
      where: [{ field: 'keys', op: 'array-contains-any', value: lookupKeys(category) }],
      limit: CANDIDATES,
      cursor: query.cursor,
    });
    const providers = page.docs.flatMap((match) => {
      if (match.status !== 'ACTIVE') return [];
      if (cpa_required && match.cpa?.accepts_cpa_terms !== true) return [];
      if (minTier !== undefined && isTierBelow(match.trust_tier, minTier)) return [];
      const subscription = matchSubscription(match, request, {
        cpaFilterEnabled: registry.subscriptions.cpa_filter_enabled,
      });
      if (!subscription) return [];
      const decision = decide(match, subscription.subscription_id, grounds, at);
      // For work with CPA terms a certification is part of matching, where the registry demands one.
      if (cpa_required && decision.reasons.some((reason) => UNCERTIFIED.has(reason))) return [];
      if (query.eligible !== undefined && decision.eligible !== query.eligible) return [];
      return [
        {
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
        },
      ];
    });
    return {
      category,
      cpa_required,
      count: providers.length,
      providers,
      next_cursor: page.nextCursor,
    };
  },
});
