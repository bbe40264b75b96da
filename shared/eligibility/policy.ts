import { z } from 'zod';

import { contentHash } from '../canonical-json.ts';
import { globMatches } from '../matching/glob.ts';
import { PatternText, bySpecificity } from '../matching/pattern.ts';
import { Currency } from '../money/currency.ts';
import { NonNegativeDecimal } from '../money/decimal.ts';
import { TrustTier } from '../providers/tier.ts';

const Thresholds = z.strictObject({
  /** 0 to 100, compared with ≥. */
  min_score: z.number().min(0).max(100),
  /** Compared with ≥ in exactly this currency. */
  min_collateral: z.strictObject({ amount: NonNegativeDecimal, currency: Currency }),
  max_score_age_days: z.int().positive(),
  cpa_certified: z.boolean(),
  min_tier: TrustTier,
});
export type Thresholds = z.infer<typeof Thresholds>;

/** `configs/eligibility-policy.yaml`. */
const EligibilityPolicy = z.strictObject({
  version: z.int().positive(),
  effective_from: z.iso.date(),
  reviewer: z.string().min(1),
  review_every_days: z.int().positive(),
  default: Thresholds,
  policies: z
    .array(Thresholds.partial().extend({ pattern: PatternText }))
    .refine(
      (policies) => new Set(policies.map(({ pattern }) => pattern)).size === policies.length,
      'must not hold one pattern twice',
    ),
  scoring: z.strictObject({
    weights_percent: z
      .strictObject({
        success: z.int().nonnegative(),
        on_time: z.int().nonnegative(),
        disputes: z.int().nonnegative(),
        manual_alerts: z.int().nonnegative(),
      })
      .refine(
        (weights) => Object.values(weights).reduce((sum, weight) => sum + weight, 0) === 100,
        'must add up to 100',
      ),
    operator_score_holds_days: z.int().positive(),
  }),
});
export type EligibilityPolicy = z.infer<typeof EligibilityPolicy>;

/** @throws {z.ZodError} naming every wrong or missing key */
export const parseEligibilityPolicy = (file: unknown): EligibilityPolicy =>
  EligibilityPolicy.parse(file);

/** Names exactly this content, so that a decision can be judged by the policy it was made under. */
export const policyVersion = (policy: EligibilityPolicy): string => contentHash(policy);

/** The thresholds for a category: the most specific pattern's, completed by the default's. */
export function thresholdsFor(policy: EligibilityPolicy, category: string): Thresholds {
  const [special] = policy.policies
    .filter(({ pattern }) => globMatches(pattern, category))
    .toSorted((a, b) => bySpecificity(a.pattern, b.pattern));
  if (!special) return policy.default;
  const { pattern: _, ...overrides } = special;
  const given = Object.entries(overrides).filter(([, value]) => value !== undefined);
  return { ...policy.default, ...Object.fromEntries(given) };
}
