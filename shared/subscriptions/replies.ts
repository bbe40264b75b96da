import { z } from 'zod';

import { DeliveryMethod } from '../matching/schema.ts';
import { SubscriptionStatus } from './schema.ts';

/** A subscription as its owner and the operator see it. */
export const SubscriptionReply = z.object({
  subscription_id: z.string(),
  provider_id: z.string(),
  categories: z.array(z.string()),
  cpa_filter_active: z.boolean(),
  status: SubscriptionStatus,
  filters: z.object({
    min_budget: z.number().nullable(),
    max_latency_ms: z.int().nullable(),
    regions: z.array(z.string()),
  }),
  cpa_preferences: z.object({
    only_cpa_enabled: z.boolean(),
    min_bonus_opportunity: z.number().nullable(),
    max_penalty_exposure: z.number().nullable(),
    preferred_criteria: z.array(z.string()),
  }),
  delivery: z.object({ method: DeliveryMethod, webhook_url: z.string().nullable() }),
  created_at: z.string(),
  updated_at: z.string(),
});
