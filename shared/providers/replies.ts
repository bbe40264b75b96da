import { z } from 'zod';

import { CpaProfile, CpaStatus } from './cpa.ts';
import { Metadata } from './metadata.ts';
import { Provider, ProviderStatus } from './schema.ts';
import { TrustTier } from './tier.ts';

const Summary = z.object({
  provider_id: z.string(),
  name: z.string(),
  description: z.string(),
  endpoint: z.string(),
  status: ProviderStatus,
  trust_score: z.number(),
  trust_tier: TrustTier,
  capabilities: z.array(z.string()),
});

/** One line of a list of providers, with the fields that existing clients read. */
export const ProviderSummary = Summary;

/** GET /v1/providers/{id} as everybody sees it. */
export const PublicProvider = Summary.extend({
  subscriptions: z.array(z.record(z.string(), z.unknown())),
  stats: z.object({
    total_contracts: z.int(),
    success_rate: z.number().nullable(),
    avg_response_time_ms: z.number().nullable(),
  }),
  cpa_enabled: z.boolean(),
  cpa_status: CpaStatus.nullable(),
  cpa_profile: CpaProfile.partial().nullable(),
  outcome_summary: z.record(z.string(), z.unknown()).nullable(),
  ml_prediction: z
    .object({
      predicted_success_rate: z.number(),
      confidence: z.number(),
      risk_level: z.string(),
    })
    .nullable(),
  created_at: z.string(),
  updated_at: z.string(),
  verified_at: z.string().nullable(),
});

/** What the provider itself and the operator see beside that. */
export const OwnedProvider = PublicProvider.extend({
  status_reason: z.string().nullable(),
  bid_webhook: z.string().nullable(),
  contact_email: z.string().nullable(),
  metadata: Metadata,
  verifications: Provider.shape.verifications,
  pricing_tiers: z.array(z.record(z.string(), z.unknown())),
  version: z.int(),
});
