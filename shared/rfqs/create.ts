import { invalidField } from '../invalid-field.ts';
import { sumDecimals } from '../money/decimal.ts';
import { ref } from '../store/collection.ts';
import { type Command, type Decision, type TaskRequest, create } from '../store/decision.ts';
import { type CreateRfq, type Rfq, rfqs } from './schema.ts';

/** Buyers who mean another year send a wrong one more often than they plan that far. */
const MAX_DEADLINE_DAYS = 90;
const DAY_MS = 24 * 60 * 60 * 1_000;

export interface CreateRfqCommand extends Command {
  readonly request: CreateRfq;
  readonly rfq_id: string;
  /** The buyer. */
  readonly org_slug: string;
}

/**
 * Opens an RFQ and starts to plan whom to tell. Reads nothing.
 *
 * @throws {AppError} `invalid_request` when the deadline is not ahead, or more than 90 days
 */
export function createRfq(_: unknown, command: CreateRfqCommand): Decision<Rfq> {
  const aheadMs = Date.parse(command.request.bid_deadline) - command.at.getTime();
  if (aheadMs <= 0) throw invalidField('body.bid_deadline', 'must be in the future');
  if (aheadMs > MAX_DEADLINE_DAYS * DAY_MS)
    throw invalidField('body.bid_deadline', `must be within ${MAX_DEADLINE_DAYS} days`);
  const rfq = newRfq(command);
  const { rfq_id, org_slug, category, budget, bid_deadline, region } = rfq;
  return {
    writes: [create(ref(rfqs, rfq_id), rfq)],
    events: [
      {
        topic: 'aex-bid-events',
        type: 'rfq.published',
        subject: ref(rfqs, rfq_id).path,
        version: rfq.version,
        fields: {
          rfq_id,
          work_id: rfq_id,
          consumer_id: org_slug,
          category,
          budget,
          bid_deadline,
          region,
          published_at: rfq.created_at,
        },
      },
    ],
    tasks: [planTask(rfq_id, 0)],
    reply: rfq,
  };
}

/** One call of `plan-rfq`, for one page of decisions. */
export const planTask = (rfqId: string, page: number): TaskRequest => ({
  function: 'plan-rfq',
  name: `plan-rfq/${rfqId}/${page}`,
  payload: { rfq_id: rfqId, page },
});

function newRfq({ request, rfq_id, org_slug, at }: CreateRfqCommand): Rfq {
  const criteria = request.success_criteria ?? [];
  const terms = request.cpa_terms;
  return {
    rfq_id,
    org_slug,
    status: 'OPEN',
    category: request.category,
    description: request.description,
    budget: request.budget,
    bid_deadline: request.bid_deadline,
    region: request.region ?? null,
    max_latency_ms: request.max_latency_ms ?? null,
    quantity: request.quantity ?? null,
    min_fill: request.min_fill ?? null,
    min_trust_tier: request.min_trust_tier ?? null,
    specific_providers: [...new Set(request.specific_providers)],
    split_allowed: request.split_allowed,
    success_criteria: criteria,
    cpa_terms: terms
      ? { ...terms, max_bonus: terms.max_bonus ?? sumDecimals(criteria.map(({ bonus }) => bonus)) }
      : null,
    plan: { state: 'planning' },
    award: null,
    created_at: at.toISOString(),
    updated_at: at.toISOString(),
    version: 1,
  };
}
