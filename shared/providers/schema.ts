import { z } from 'zod';

import { collection } from '../store/collection.ts';
import { Timestamp } from '../time.ts';
import { CpaPreferences, CpaProfile, CpaStatus, GivenPricingTier, PricingTier } from './cpa.ts';
import { Metadata } from './metadata.ts';
import { TrustTier } from './tier.ts';
import { GivenUrl } from './url.ts';

/** INACTIVE means archived, and is final. */
export const ProviderStatus = z.enum(['PENDING_VERIFICATION', 'ACTIVE', 'SUSPENDED', 'INACTIVE']);
export type ProviderStatus = z.infer<typeof ProviderStatus>;

const VerificationType = z.enum(['identity', 'endpoint', 'compliance']);

/** The latest result of each kind of check; null before the first. */
const Verification = z.object({
  verified: z.boolean(),
  notes: z.string().nullable(),
  checked_at: Timestamp,
});

export const Provider = z.object({
  provider_id: z.string(),
  name: z.string(),
  description: z.string(),
  endpoint: z.string(),
  bid_webhook: z.string().nullable(),
  capabilities: z.array(z.string()),
  contact_email: z.string().nullable(),
  /** As the provider declared it. Trust that it declares there is not believed. */
  metadata: Metadata,
  status: ProviderStatus,
  /** 0 to 1, from the trust broker. Eligibility has a score of its own, 0 to 100. */
  trust_score: z.number(),
  trust_tier: TrustTier,
  verifications: z.object({
    identity: Verification.nullable(),
    endpoint: Verification.nullable(),
    compliance: Verification.nullable(),
  }),
  cpa_enabled: z.boolean(),
  cpa_status: CpaStatus.nullable(),
  cpa_profile: CpaProfile.nullable(),
  pricing_tiers: z.array(PricingTier),
  created_at: Timestamp,
  updated_at: Timestamp,
  verified_at: Timestamp.nullable(),
  version: z.int().positive(),
});
export type Provider = z.infer<typeof Provider>;

export const providers = collection('providers', Provider);

/** Reserves a name: its id is the hash of the normalised name, so two providers cannot share one. */
const ProviderName = z.object({
  name: z.string(),
  provider_id: z.string(),
  created_at: Timestamp,
  version: z.int().positive(),
});
export const providerNames = collection('provider_names', ProviderName);

const emptyAsAbsent = <Schema extends z.ZodType>(schema: Schema) =>
  z.preprocess((value) => (value === '' || value === null ? undefined : value), schema.optional());

/** POST /v1/providers. Unknown fields are ignored: existing clients send some. */
export const RegisterProvider = z.object({
  name: z.string().trim().min(1, 'must not be blank').max(120),
  description: z.string().max(2_000).default(''),
  endpoint: GivenUrl,
  /** Agents send '' for what they do not have. */
  bid_webhook: emptyAsAbsent(GivenUrl),
  capabilities: z.array(z.string().trim().min(1).max(128)).max(100).default([]),
  contact_email: emptyAsAbsent(z.email().max(254)),
  metadata: Metadata.default({}),
  cpa_preferences: CpaPreferences.nullish(),
  pricing_tiers: z.array(GivenPricingTier).max(50).default([]),
});
export type RegisterProvider = z.infer<typeof RegisterProvider>;

/** POST /internal/v1/providers/{id}/verify. */
export const VerifyProvider = z.object({
  verification_type: VerificationType,
  verified: z.boolean(),
  notes: z.string().max(2_000).nullish(),
});
export type VerifyProvider = z.infer<typeof VerifyProvider>;
