import { z } from 'zod';

import { NonNegativeDecimal, StoredDecimal, compareDecimals } from '../money/decimal.ts';
import { PatternText } from '../matching/pattern.ts';
import { Timestamp } from '../time.ts';

/** A share of a price: 0.25 is a quarter. Compared, never added, so a plain number is exact. */
export const Rate = z.number().min(0, 'must not be negative').max(1, 'must be at most 1');

export const verificationKinds = [
  'confirmation_number',
  'receipt',
  'api_callback',
  'screenshot',
] as const;

const BonusStructure = z.enum(['per_criterion', 'flat', 'percentage']);

/**
 * What a provider says about cost-per-action work. Metrics and verification kinds are checked by the
 * rule, which knows the configured ones; `max_penalty_accepted` above the cap is clamped there.
 */
export const CpaPreferences = z.object({
  accepts_cpa_terms: z.boolean().default(true),
  max_penalty_accepted: z.number().min(0, 'must not be negative').default(0.2),
  preferred_bonus_structure: BonusStructure.default('per_criterion'),
  verification_support: z.array(z.string().max(64)).max(20).default([]),
  supported_metrics: z.array(z.string().max(64)).max(100).default([]),
  min_confidence_threshold: Rate.default(0.7),
  /** Percent, not a rate: 10 is ten per cent. */
  penalty_buffer_percentage: z.number().min(0, 'must not be negative').max(100).default(10),
});
export type CpaPreferences = z.infer<typeof CpaPreferences>;

/** The stored profile: the preferences, and the certification that only operators change. */
export const CpaProfile = z.object({
  accepts_cpa_terms: z.boolean(),
  max_penalty_accepted: Rate,
  preferred_bonus_structure: BonusStructure,
  verification_support: z.array(z.string()),
  supported_metrics: z.array(z.string()),
  min_confidence_threshold: Rate,
  penalty_buffer_percentage: z.number(),
  cpa_certified: z.boolean(),
  certification_date: Timestamp.nullable(),
  certification_expires: Timestamp.nullable(),
});
export type CpaProfile = z.infer<typeof CpaProfile>;

export const CpaStatus = z.enum(['PENDING_CERTIFICATION', 'CERTIFIED', 'EXPIRED', 'REVOKED']);

/** What a provider asks for in a category, which may be a pattern. */
export const GivenPricingTier = z.object({
  category: PatternText,
  base_price_range: z
    .tuple([NonNegativeDecimal, NonNegativeDecimal])
    .refine(([low, high]) => compareDecimals(low, high) <= 0, 'must be [lowest, highest]'),
  accepts_cpa: z.boolean().default(true),
  min_bonus_for_cpa: NonNegativeDecimal.default('0'),
  max_penalty_for_cpa: Rate.default(0.5),
  /** Preference order, lowest first; the position in the list when absent. */
  priority: z.int().min(0).max(1_000).optional(),
});
export type GivenPricingTier = z.infer<typeof GivenPricingTier>;

export const PricingTier = z.object({
  category: z.string(),
  base_price_range: z.tuple([StoredDecimal, StoredDecimal]),
  accepts_cpa: z.boolean(),
  min_bonus_for_cpa: StoredDecimal,
  max_penalty_for_cpa: Rate,
  priority: z.int(),
});
export type PricingTier = z.infer<typeof PricingTier>;
