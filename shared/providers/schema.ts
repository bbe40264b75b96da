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
  /** What it is found by beside its capabilities, as `searchTerms` derives it. */
  terms: z.array(z.string()).default([]),
  contact_email: z.string().nullable(),
  /** As the provider declared it. Trust that it declares there is not believed. */
  metadata: Metadata,
  status: ProviderStatus,
  /** Why an operator gave it its status; absent where no operator did. */
  status_reason: z.string().optional(),
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
export type ProviderName = z.infer<typeof ProviderName>;

export const providerNames = collection('provider_names', ProviderName);

const emptyAsAbsent = <Schema extends z.ZodType>(schema: Schema) =>
  z.preprocess((value) => (value === '' || value === null ? undefined : value), schema.optional());

const GivenName = z.string().trim().min(1, 'must not be blank').max(120);
const GivenDescription = z.string().max(2_000);
const GivenCapabilities = z.array(z.string().trim().min(1).max(128)).max(100);
const GivenEmail = z.email().max(254);
const GivenPricingTiers = z.array(GivenPricingTier).max(50);

/** POST /v1/providers. Unknown fields are ignored: existing clients send some. */
export const RegisterProvider = z.object({
  name: GivenName,
  description: GivenDescription.default(''),
  endpoint: GivenUrl,
  /** Agents send '' for what they do not have. */
  bid_webhook: emptyAsAbsent(GivenUrl),
  capabilities: GivenCapabilities.default([]),
  contact_email: emptyAsAbsent(GivenEmail),
  metadata: Metadata.default({}),
  cpa_preferences: CpaPreferences.nullish(),
  pricing_tiers: GivenPricingTiers.default([]),
});
export type RegisterProvider = z.infer<typeof RegisterProvider>;

const emptyAsNull = <Schema extends z.ZodType>(schema: Schema) =>
  z.preprocess((value) => (value === '' ? null : value), schema.nullable()).optional();

/**
 * PUT /v1/providers/{id}. What is absent stays; null or '' takes away what a provider need not have.
 * Lists and metadata are replaced whole.
 */
export const UpdateProvider = z
  .object({
    name: GivenName.optional(),
    description: GivenDescription.optional(),
    endpoint: GivenUrl.optional(),
    bid_webhook: emptyAsNull(GivenUrl),
    capabilities: GivenCapabilities.optional(),
    contact_email: emptyAsNull(GivenEmail),
    metadata: Metadata.optional(),
    pricing_tiers: GivenPricingTiers.optional(),
    /** What the caller has read: the update is refused if the provider has changed since. */
    version: z.int().positive().optional(),
  })
  .refine(
    ({ version: _read, ...changes }) =>
      Object.values(changes).some((change) => change !== undefined),
    'name, description, endpoint, bid_webhook, capabilities, contact_email, metadata or pricing_tiers is required',
  );
export type UpdateProvider = z.infer<typeof UpdateProvider>;

/** POST /internal/v1/providers/{id}/verify. */
export const VerifyProvider = z.object({
  verification_type: VerificationType,
  verified: z.boolean(),
  notes: z.string().max(2_000).nullish(),
});
export type VerifyProvider = z.infer<typeof VerifyProvider>;

/** POST /v1/providers/{id}/status. */
export const ChangeProviderStatus = z.object({
  status: ProviderStatus,
  reason: z.string().trim().min(1, 'must not be blank').max(2_000),
});
export type ChangeProviderStatus = z.infer<typeof ChangeProviderStatus>;
