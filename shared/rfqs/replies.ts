import { z } from 'zod';

import { EligibilityDecision } from '../eligibility/decision.ts';
import { Quote } from './quote.ts';
import { Rfq } from './schema.ts';

const Count = z.int().nonnegative();

const Criteria = z.array(
  Rfq.shape.success_criteria.element.extend({ bonus: z.number(), penalty: z.number() }),
);
const CpaTerms = Rfq.shape.cpa_terms.unwrap().extend({ max_bonus: z.number() }).nullable();

/** An RFQ, as its buyer sees it. */
export const RfqReply = Rfq.omit({ plan: true, version: true }).extend({
  success_criteria: Criteria,
  cpa_terms: CpaTerms,
  counts: z.object({
    matched: Count,
    eligible: Count,
    delivered: Count,
    failed: Count,
    pending: Count,
  }),
  /** Set once everybody was decided about: the hash that seals all decisions. */
  audit_root: z.string().optional(),
  award: Rfq.shape.award.unwrap().optional(),
});

/** An RFQ, as a provider that was told of it sees it: not who buys, and not who else was asked. */
export const InvitedRfqReply = z.object({
  rfq_id: z.string(),
  status: Rfq.shape.status,
  category: z.string(),
  description: z.string(),
  budget: Rfq.shape.budget,
  bid_deadline: z.string(),
  region: z.string().nullable(),
  max_latency_ms: z.int().nullable(),
  quantity: z.string().nullable(),
  min_fill: z.string().nullable(),
  success_criteria: Criteria,
  cpa_terms: CpaTerms,
  quotes_url: z.string(),
});

export const QuoteReply = Quote.omit({ version: true }).extend({
  cpa_acceptance: Quote.shape.cpa_acceptance
    .unwrap()
    .extend({ expected_bonus: z.number().nullable() })
    .nullable(),
});

export const DecisionReply = EligibilityDecision;
