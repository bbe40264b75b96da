import type { EligibilityDecision } from '../eligibility/decision.ts';
import { AppError, notFound } from '../errors.ts';
import { decimalToNumber } from '../money/decimal.ts';
import { ref } from '../store/collection.ts';
import { type Command, type Decision, type Docs, set } from '../store/decision.ts';
import { assertAcceptable } from './acceptable-quote.ts';
import { type Quote, type SubmitQuote, quoteId, quoteRef } from './quote.ts';
import { type Rfq, rfqs } from './schema.ts';

export interface SubmitQuoteCommand extends Command {
  readonly rfq_id: string;
  readonly provider_id: string;
  readonly request: SubmitQuote;
  /**
   * The provider's decision on the RFQ's audit pages, null without one. Pages never change, so it may
   * be read before the transaction.
   */
  readonly invitation: EligibilityDecision | null;
}

export const submitQuoteRefs = ({
  rfq_id,
  provider_id,
}: Pick<SubmitQuoteCommand, 'rfq_id' | 'provider_id'>) => ({
  rfq: ref(rfqs, rfq_id),
  quote: quoteRef(rfq_id, provider_id),
});

/**
 * Submits a quote, or replaces the provider's former one under a new id, until the deadline.
 *
 * @throws {AppError} `not_found` for a provider who was not invited, `rfq_closed` when late,
 *   `currency_mismatch`, `price_above_budget`, `invalid_request` for a capacity below `min_fill` or
 *   an acceptance that falls short of the CPA terms
 */
export function submitQuote(
  { rfq, quote }: Docs<ReturnType<typeof submitQuoteRefs>>,
  command: SubmitQuoteCommand,
): Decision<Quote> {
  const { request, invitation, provider_id, at } = command;
  if (!rfq || invitation?.eligible !== true || invitation.provider_id !== provider_id)
    throw notFound('RFQ');
  assertOpen(rfq, at);
  assertAcceptable(rfq, request);
  const version = (quote?.version ?? 0) + 1;
  const next: Quote = {
    quote_id: quoteId(rfq.rfq_id, provider_id, version),
    rfq_id: rfq.rfq_id,
    provider_id,
    status: 'SUBMITTED',
    price: request.price,
    currency: request.currency,
    confidence: request.confidence,
    capacity: request.capacity ?? null,
    cpa_acceptance: request.cpa_acceptance
      ? {
          ...request.cpa_acceptance,
          max_penalty_accepted: request.cpa_acceptance.max_penalty_accepted ?? null,
          expected_bonus: request.cpa_acceptance.expected_bonus ?? null,
        }
      : null,
    message: request.message ?? null,
    submitted_at: at.toISOString(),
    updated_at: at.toISOString(),
    version,
  };
  const place = quoteRef(rfq.rfq_id, provider_id);
  return {
    writes: [set(place, next)],
    events: [
      {
        topic: 'aex-bid-events',
        type: 'bid.submitted',
        subject: place.path,
        version,
        fields: {
          bid_id: next.quote_id,
          work_id: rfq.rfq_id,
          provider_id,
          price: decimalToNumber(next.price),
          currency: next.currency,
          confidence: next.confidence,
          category: rfq.category,
          submitted_at: next.submitted_at,
        },
      },
    ],
    reply: next,
  };
}

function assertOpen({ status, bid_deadline }: Rfq, at: Date): void {
  if (status !== 'OPEN')
    throw new AppError('rfq_closed', `The RFQ is ${status} and takes no more quotes.`);
  if (at.getTime() >= Date.parse(bid_deadline))
    throw new AppError('rfq_closed', `The bid deadline was ${bid_deadline}; quotes are closed.`);
}
