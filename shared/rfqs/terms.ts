import type { Demands } from '../eligibility/evaluate.ts';
import type { MatchRequest } from '../matching/match.ts';
import type { ProviderRegistry } from '../providers/config.ts';
import type { Rfq } from './schema.ts';

/** What an RFQ asks of a provider beyond the policy. */
export const demandsOf = (
  { cpa_terms, min_trust_tier }: Rfq,
  { cpa }: ProviderRegistry,
): Demands => ({
  cpa_certified: cpa_terms !== null && cpa.certification_required,
  ...(min_trust_tier && { min_tier: min_trust_tier }),
});

/** An RFQ as subscriptions see it. */
export const matchRequestOf = (rfq: Rfq): MatchRequest => ({
  category: rfq.category,
  max_price: rfq.budget.max_price,
  ...(rfq.region !== null && { region: rfq.region }),
  ...(rfq.max_latency_ms !== null && { max_latency_ms: rfq.max_latency_ms }),
  cpa: rfq.cpa_terms && {
    bonus: rfq.cpa_terms.max_bonus,
    penalty_rate: rfq.cpa_terms.max_penalty_rate,
    metrics: rfq.success_criteria.map(({ metric }) => metric),
  },
});
