import type { Rfq } from '../rfqs/schema.ts';
import { cpaTermsView, criteriaView } from '../rfqs/view.ts';

/**
 * What a provider is told of an RFQ. It does not say who buys.
 *
 * @param quotesUrl where to POST a quote
 */
export const rfqPublished = (rfq: Rfq, quotesUrl: string, at: Date) => ({
  type: 'rfq.published',
  timestamp: at.toISOString(),
  data: {
    rfq_id: rfq.rfq_id,
    category: rfq.category,
    description: rfq.description,
    budget: rfq.budget,
    bid_deadline: rfq.bid_deadline,
    region: rfq.region,
    max_latency_ms: rfq.max_latency_ms,
    quantity: rfq.quantity,
    min_fill: rfq.min_fill,
    success_criteria: criteriaView(rfq),
    cpa_terms: cpaTermsView(rfq),
    quotes_url: quotesUrl,
  },
});
