import { describe, expect, it } from 'vitest';

import { PAGE_SIZE, verifyChain } from '../../../shared/eligibility/audit.ts';
import type { Match } from '../../../shared/matching/schema.ts';
import { finishPlan } from '../../../shared/rfqs/finish-plan.ts';
import { planPage, recipientsOf } from '../../../shared/rfqs/plan.ts';
import { rfqs } from '../../../shared/rfqs/schema.ts';
import { ref } from '../../../shared/store/collection.ts';
import {
  aMatch,
  aSubscription,
  anRfq,
  at,
  command,
  cpaTerms,
  docAt,
  errorOf,
  grounds,
  later,
} from '../examples.ts';

const provider = (n: number, changes: Partial<Match> = {}): Match =>
  aMatch({ provider_id: `prov_${String(n).padStart(4, '0')}`, ...changes });

const score = (value: number) => ({
  value,
  source: 'operator',
  captured_at: '2026-02-28T00:00:00.000Z',
});

const planned = (candidates: readonly Match[], rfq = anRfq()) =>
  planPage(rfq, candidates, null, grounds, at);

describe('planning whom to tell', () => {
  it('decides about everyone who matches, whatever the status, and tells only the eligible', () => {
    const { page, recipients } = planned([
      provider(1, { score: score(88.5), collateral: { IRR: '250000000' } }),
      provider(2, { score: score(75), collateral: { IRR: '150000000' } }),
      provider(3, { score: score(90), collateral: { IRR: '220000000' } }),
      provider(4, { score: score(68), collateral: { IRR: '210000000' } }),
      provider(5, { status: 'SUSPENDED' }),
    ]);
    expect(page.decisions.map(({ reasons }) => reasons)).toEqual([
      [],
      ['insufficient_collateral'],
      [],
      ['score_below_threshold'],
      ['provider_not_active'],
    ]);
    expect(recipients.map(({ provider_id }) => provider_id)).toEqual(['prov_0001', 'prov_0003']);
    expect(page.totals).toEqual({ matched: 5, eligible: 2 });
  });

  it('does not decide about a candidate whose globs or filters do not fit', () => {
    const { page } = planned([
      provider(1, { subscriptions: [aSubscription({ categories: ['travel.s*'] })] }),
      provider(2, {
        subscriptions: [
          aSubscription({ filters: { min_budget: '101', max_latency_ms: null, regions: [] } }),
        ],
      }),
      provider(3),
    ]);
    expect(page.provider_ids).toEqual(['prov_0003']);
    expect(page.cursor).toBe('prov_0003');
  });

  it('tells only the named ones of an RFQ for specific providers', () => {
    const rfq = anRfq({ specific_providers: ['prov_0002'] });
    expect(planned([provider(1), provider(2)], rfq).page.provider_ids).toEqual(['prov_0002']);
  });

  it('demands a certification for CPA terms, and the RFQ’s minimum tier', () => {
    const rfq = anRfq({ cpa_terms: cpaTerms, min_trust_tier: 'VERIFIED' });
    expect(planned([provider(1)], rfq).page.decisions[0]?.reasons).toEqual([
      'cpa_not_certified',
      'tier_below_minimum',
    ]);
  });

  it('is the last page when there are fewer candidates than fit one', () => {
    const full = Array.from({ length: PAGE_SIZE }, (_, n) => provider(n));
    const first = planned(full);
    expect(first.page.last).toBe(false);
    const second = planPage(anRfq(), [], first.page, grounds, at);
    expect(second.page).toMatchObject({ last: true, index: 1, cursor: 'prov_0299' });
    expect(verifyChain([first.page, second.page]).intact).toBe(true);
  });

  it('tells from a stored page the same as when it was made', () => {
    const { page, recipients } = planned([provider(1), provider(2)]);
    expect(recipientsOf(structuredClone(page))).toEqual(recipients);
  });
});

describe('finishing the plan', () => {
  const { page } = planned([provider(1), provider(2, { score: null })]);
  const finishing = { ...command(), last_page: page };

  it('puts counts and audit root onto the RFQ, and publishes them', () => {
    const decision = finishPlan({ rfq: anRfq() }, finishing);
    const outcome = { audit_root: page.hash, pages: 1, matched: 2, eligible: 1 };
    expect(docAt(decision, ref(rfqs, page.rfq_id))).toMatchObject({
      plan: { state: 'planned', ...outcome },
      version: 2,
    });
    expect(decision.events).toMatchObject([{ type: 'rfq.planned', fields: outcome }]);
  });

  it('twice changes nothing', () => {
    const planned = finishPlan({ rfq: anRfq() }, finishing).reply;
    expect(finishPlan({ rfq: planned }, { ...finishing, at: later(5) })).toEqual({
      writes: [],
      reply: planned,
    });
  });

  it('needs the RFQ and its last page', () => {
    expect(errorOf(() => finishPlan({ rfq: null }, finishing))).toMatchObject({
      code: 'not_found',
    });
    const early = { ...finishing, last_page: { ...page, last: false } };
    expect(() => finishPlan({ rfq: anRfq() }, early)).toThrow(RangeError);
  });
});
