import { z } from 'zod';

import { EligibilityDecision } from '../eligibility/decision.ts';
import { GivenId } from '../ids.ts';
import { Category } from '../matching/keys.ts';
import { Currency } from '../money/currency.ts';
import {
  NonNegativeDecimal,
  PositiveDecimal,
  StoredDecimal,
  compareDecimals,
} from '../money/decimal.ts';
import { Rate } from '../providers/cpa.ts';
import { TrustTier } from '../providers/tier.ts';
import { collection } from '../store/collection.ts';
import { GivenTimestamp, Timestamp } from '../time.ts';

const MAX_CRITERIA = 10;

const MetricType = z.enum([
  'boolean',
  'numeric',
  'percentage',
  'latency',
  'count',
  'accuracy',
  'custom',
]);

const Comparison = z.enum(['eq', 'neq', 'gt', 'gte', 'lt', 'lte', 'in_range']);

const Threshold = z.union([
  z.boolean(),
  z.number(),
  z.string().max(256),
  z.tuple([z.number(), z.number()]),
]);

const GivenCriterion = z
  .object({
    metric: z.string().min(1).max(64),
    metric_type: MetricType.default('custom'),
    comparison: Comparison.default('gte'),
    threshold: Threshold,
    required: z.boolean().default(true),
    bonus: NonNegativeDecimal.default('0'),
    penalty: NonNegativeDecimal.default('0'),
  })
  .refine(
    ({ comparison, threshold }) => (comparison === 'in_range') === Array.isArray(threshold),
    'in_range takes [lowest, highest]; every other comparison takes one value',
  );

const Criterion = z.object({
  metric: z.string(),
  metric_type: MetricType,
  comparison: Comparison,
  threshold: Threshold,
  required: z.boolean(),
  bonus: StoredDecimal,
  penalty: StoredDecimal,
});

const VerificationMethod = z.enum(['automated', 'consumer_confirm', 'evidence']);

/** POST /v1/rfqs. That the deadline lies ahead is checked by the rule, which knows the time. */
export const CreateRfq = z
  .object({
    category: Category,
    description: z.string().trim().min(1, 'must not be blank').max(5_000),
    budget: z.object({ max_price: PositiveDecimal, currency: Currency }),
    bid_deadline: GivenTimestamp,
    region: z.string().trim().toLowerCase().min(1).max(64).nullish(),
    max_latency_ms: z.int().positive().nullish(),
    quantity: PositiveDecimal.nullish(),
    min_fill: PositiveDecimal.nullish(),
    min_trust_tier: TrustTier.nullish(),
    specific_providers: z.array(GivenId).max(100).nullish(),
    split_allowed: z.boolean().default(false),
    success_criteria: z.array(GivenCriterion).max(MAX_CRITERIA).nullish(),
    cpa_terms: z
      .object({
        verification_method: VerificationMethod.default('automated'),
        dispute_window_hours: z.int().min(1).max(168).default(24),
        max_penalty_rate: Rate.max(0.5, 'must be at most 0.5').default(0.2),
        /** The sum of the criteria's bonuses when absent. */
        max_bonus: NonNegativeDecimal.nullish(),
      })
      .nullish(),
  })
  .refine(
    ({ quantity, min_fill }) => !min_fill || (quantity && compareDecimals(min_fill, quantity) <= 0),
    { path: ['min_fill'], error: 'must come with a quantity and not exceed it' },
  );
export type CreateRfq = z.infer<typeof CreateRfq>;

/** How far the walk over the matches has come. */
const Plan = z.discriminatedUnion('state', [
  z.object({ state: z.literal('planning') }),
  z.object({
    state: z.literal('planned'),
    /** The hash of the last audit page, which seals them all. */
    audit_root: z.string(),
    pages: z.int().positive(),
    matched: z.int().nonnegative(),
    eligible: z.int().nonnegative(),
    planned_at: Timestamp,
  }),
]);

const AwardedContract = z.object({
  contract_id: z.string(),
  provider_id: z.string(),
  price: StoredDecimal,
  currency: z.string(),
});

const Award = z.object({
  quote_ids: z.array(z.string()).min(1),
  contracts: z.array(AwardedContract).min(1),
  awarded_at: Timestamp,
});

/** OPEN accepts quotes until the bid deadline, and an award until it is EXPIRED or CANCELLED. */
const RfqStatus = z.enum(['OPEN', 'AWARDED', 'EXPIRED', 'CANCELLED']);

const CpaTerms = z.object({
  verification_method: VerificationMethod,
  dispute_window_hours: z.int(),
  max_penalty_rate: Rate,
  max_bonus: StoredDecimal,
});

export const Rfq = z.object({
  rfq_id: z.string(),
  org_slug: z.string(),
  status: RfqStatus,
  category: z.string(),
  description: z.string(),
  budget: z.object({ max_price: StoredDecimal, currency: z.string() }),
  bid_deadline: Timestamp,
  region: z.string().nullable(),
  max_latency_ms: z.int().nullable(),
  quantity: StoredDecimal.nullable(),
  min_fill: StoredDecimal.nullable(),
  min_trust_tier: TrustTier.nullable(),
  /** Only these are told; everybody who matches when empty. */
  specific_providers: z.array(z.string()),
  split_allowed: z.boolean(),
  success_criteria: z.array(Criterion),
  cpa_terms: CpaTerms.nullable(),
  plan: Plan,
  award: Award.nullable(),
  created_at: Timestamp,
  updated_at: Timestamp,
  version: z.int().positive(),
});
export type Rfq = z.infer<typeof Rfq>;

export const rfqs = collection('rfqs', Rfq);

/** POST /v1/rfqs/{id}/award. */
export const AwardRfq = z.object({ quote_id: GivenId });
export type AwardRfq = z.infer<typeof AwardRfq>;

/** What buyer and provider agreed on: a copy of the RFQ's terms and the quote, and why it was allowed. */
export const Contract = z.object({
  contract_id: z.string(),
  rfq_id: z.string(),
  quote_id: z.string(),
  provider_id: z.string(),
  org_slug: z.string(),
  status: z.enum(['AWARDED', 'COMPLETED', 'FAILED', 'DISPUTED', 'CANCELLED']),
  category: z.string(),
  price: StoredDecimal,
  currency: z.string(),
  provider_confidence: z.number(),
  max_latency_ms: z.int().nullable(),
  success_criteria: z.array(Criterion),
  cpa_terms: CpaTerms.nullable(),
  /** The decision made at the award. */
  eligibility: EligibilityDecision,
  awarded_at: Timestamp,
  created_at: Timestamp,
  updated_at: Timestamp,
  version: z.int().positive(),
});
export type Contract = z.infer<typeof Contract>;

export const contracts = collection('contracts', Contract);
