import { decimalToNumber } from '../money/decimal.ts';
import type { Quote } from './quote.ts';
import type { Rfq } from './schema.ts';

/** How many deliveries of an RFQ have ended, and how; from a count of their documents. */
export interface DeliveryCounts {
  readonly delivered: number;
  readonly failed: number;
}

/** GET /v1/rfqs/{id}, for its buyer. Counts are 0 while the plan is being made. */
export function rfqView(rfq: Rfq, { delivered, failed }: DeliveryCounts) {
  const { plan, award, version: _, ...fields } = rfq;
  const { matched, eligible } = plan.state === 'planned' ? plan : { matched: 0, eligible: 0 };
  return {
    ...fields,
    success_criteria: criteriaView(rfq),
    cpa_terms: cpaTermsView(rfq),
    counts: {
      matched,
      eligible,
      delivered,
      failed,
      pending: Math.max(0, eligible - delivered - failed),
    },
    ...(plan.state === 'planned' && { audit_root: plan.audit_root }),
    ...(award && { award }),
  };
}

/** POST and GET of quotes. */
export function quoteView(quote: Quote) {
  const { version: _, cpa_acceptance, ...fields } = quote;
  const bonus = cpa_acceptance?.expected_bonus ?? null;
  return {
    ...fields,
    cpa_acceptance: cpa_acceptance && {
      ...cpa_acceptance,
      expected_bonus: bonus === null ? null : decimalToNumber(bonus),
    },
  };
}

/** Bonuses and penalties are JSON numbers, as the specification shows them. */
export const criteriaView = ({ success_criteria }: Pick<Rfq, 'success_criteria'>) =>
  success_criteria.map((criterion) => ({
    ...criterion,
    bonus: decimalToNumber(criterion.bonus),
    penalty: decimalToNumber(criterion.penalty),
  }));

export const cpaTermsView = ({ cpa_terms }: Pick<Rfq, 'cpa_terms'>) =>
  cpa_terms && { ...cpa_terms, max_bonus: decimalToNumber(cpa_terms.max_bonus) };
