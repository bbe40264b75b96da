import { describe, expect, it } from 'vitest';

import { createRfq } from '../../../shared/rfqs/create.ts';
import { CreateRfq, rfqs } from '../../../shared/rfqs/schema.ts';
import { matchRequestOf } from '../../../shared/rfqs/terms.ts';
import { rfqView } from '../../../shared/rfqs/view.ts';
import { ref } from '../../../shared/store/collection.ts';
import { anRfq, command, docAt, errorOf, later } from '../examples.ts';

const rfq_id = 'rfq_00000000000000aa';
const body = {
  category: 'travel.booking',
  description: 'Two nights in Shiraz',
  budget: { max_price: 0.1, currency: 'USD' },
  bid_deadline: '2026-03-01T16:30:00+03:30',
};
const criterion = {
  metric: 'response_time_ms',
  metric_type: 'latency',
  comparison: 'lte',
  threshold: 3000,
  required: true,
  bonus: 0.02,
  penalty: 0.01,
};

const created = (changes: Record<string, unknown> = {}) =>
  createRfq(
    {},
    {
      ...command(),
      request: CreateRfq.parse({ ...body, ...changes }),
      rfq_id,
      org_slug: 'acme',
    },
  );

describe('creating an RFQ', () => {
  it('opens it for its buyer, with the deadline in UTC', () => {
    const decision = created();
    expect(docAt(decision, ref(rfqs, rfq_id))).toMatchObject({
      org_slug: 'acme',
      status: 'OPEN',
      bid_deadline: '2026-03-01T13:00:00.000Z',
      budget: { max_price: '0.1', currency: 'USD' },
      plan: { state: 'planning' },
      award: null,
      version: 1,
    });
  });

  it('starts the plan with a task that runs once, and publishes', () => {
    const { tasks, events } = created();
    expect(tasks).toEqual([
      { function: 'plan-rfq', name: `plan-rfq/${rfq_id}/0`, payload: { rfq_id, page: 0 } },
    ]);
    expect(events).toMatchObject([{ topic: 'aex-bid-events', type: 'rfq.published' }]);
  });

  it('sums the criteria’s bonuses where no max_bonus is given', () => {
    const { reply } = created({
      success_criteria: [criterion, { ...criterion, bonus: '0.1' }],
      cpa_terms: {},
    });
    expect(reply.cpa_terms).toEqual({
      verification_method: 'automated',
      dispute_window_hours: 24,
      max_penalty_rate: 0.2,
      max_bonus: '0.12',
    });
    expect(matchRequestOf(reply).cpa).toEqual({
      bonus: '0.12',
      penalty_rate: 0.2,
      metrics: ['response_time_ms', 'response_time_ms'],
    });
  });

  it.each(['2026-03-01T12:00:00Z', '2026-02-28T00:00:00Z', '2026-06-01T00:00:00Z'])(
    'refuses a deadline at %s',
    (bid_deadline) => {
      expect(errorOf(() => created({ bid_deadline }))).toMatchObject({
        code: 'invalid_request',
        details: [{ field: 'body.bid_deadline' }],
      });
    },
  );

  it.each([
    { category: 'travel.*' },
    { description: ' ' },
    { budget: { max_price: 0, currency: 'USD' } },
    { budget: { max_price: 1, currency: 'usd' } },
    { bid_deadline: 'tomorrow' },
    { bid_deadline: '2026-03-01T16:30:00' },
    { success_criteria: Array.from({ length: 11 }, () => criterion) },
    { success_criteria: [{ ...criterion, bonus: -1 }] },
    { success_criteria: [{ ...criterion, comparison: 'in_range' }] },
    { cpa_terms: { max_penalty_rate: 0.51 } },
    { cpa_terms: { dispute_window_hours: 169 } },
    { min_fill: 5 },
    { quantity: 4, min_fill: 5 },
    { min_trust_tier: 'BEST' },
  ])('refuses %o', (changes) => {
    expect(CreateRfq.safeParse({ ...body, ...changes }).success).toBe(false);
  });
});

describe('an RFQ as its buyer sees it', () => {
  it('counts what has come of it', () => {
    const plan = {
      state: 'planned' as const,
      audit_root: 'sha256:root',
      pages: 1,
      matched: 5,
      eligible: 4,
      planned_at: later(1).toISOString(),
    };
    const view = rfqView(anRfq({ plan }), { delivered: 2, failed: 1 });
    expect(view).toMatchObject({
      audit_root: 'sha256:root',
      counts: { matched: 5, eligible: 4, delivered: 2, failed: 1, pending: 1 },
    });
    expect(view).not.toHaveProperty('award');
  });

  it('shows nothing of the plan while it is being made', () => {
    const view = rfqView(anRfq(), { delivered: 0, failed: 0 });
    expect(view.counts).toEqual({ matched: 0, eligible: 0, delivered: 0, failed: 0, pending: 0 });
    expect(view).not.toHaveProperty('audit_root');
  });
});
