import { describe, expect, it } from 'vitest';

import { type AwardCommand, awardRfq } from '../../../shared/rfqs/award.ts';
import { quoteRef } from '../../../shared/rfqs/quote.ts';
import { type Rfq, contracts, rfqs } from '../../../shared/rfqs/schema.ts';
import { ref } from '../../../shared/store/collection.ts';
import { aMatch, aQuote, anRfq, command, cpaTerms, docAt, errorOf, grounds } from '../examples.ts';

const quote = aQuote();
const docs = { rfq: anRfq(), quote, match: aMatch() };
const awarding = (changes: Partial<AwardCommand> = {}): AwardCommand => ({
  ...command(),
  ...grounds,
  rfq_id: quote.rfq_id,
  quote_id: quote.quote_id,
  provider_id: quote.provider_id,
  org_slug: 'acme',
  ...changes,
});

const criteria: Rfq['success_criteria'] = [
  {
    metric: 'accuracy',
    metric_type: 'accuracy',
    comparison: 'gte',
    threshold: 0.9,
    required: true,
    bonus: '0.02',
    penalty: '0',
  },
];
const certified = {
  accepts_cpa_terms: true,
  certified: true,
  expires_at: '2027-01-01T00:00:00.000Z',
  max_penalty_accepted: 0.25,
  supported_metrics: [],
};

describe('awarding an RFQ', () => {
  it('makes a contract on the quote’s terms, and closes the RFQ', () => {
    const decision = awardRfq(docs, awarding());
    const [contract] = decision.reply.contracts;
    expect(decision.reply).toMatchObject({ rfq_id: quote.rfq_id, status: 'AWARDED' });
    expect(contract).toMatchObject({
      provider_id: quote.provider_id,
      price: '80',
      currency: 'USD',
    });
    expect(docAt(decision, ref(contracts, contract?.contract_id ?? ''))).toMatchObject({
      rfq_id: quote.rfq_id,
      quote_id: quote.quote_id,
      org_slug: 'acme',
      status: 'AWARDED',
      provider_confidence: 0.9,
      eligibility: { eligible: true, policy_version: grounds.policy_version },
    });
    expect(docAt(decision, ref(rfqs, quote.rfq_id))).toMatchObject({
      status: 'AWARDED',
      award: { quote_ids: [quote.quote_id], contracts: [contract] },
    });
    expect(docAt(decision, quoteRef(quote.rfq_id, quote.provider_id))?.status).toBe('AWARDED');
  });

  it('publishes contract.awarded in the exchange’s names', () => {
    const rfq = anRfq({ cpa_terms: cpaTerms, success_criteria: criteria });
    const { events, reply } = awardRfq(
      { ...docs, rfq, match: aMatch({ cpa: certified }) },
      awarding(),
    );
    expect(events).toMatchObject([
      {
        topic: 'aex-contract-events',
        type: 'contract.awarded',
        fields: {
          contract_id: reply.contracts[0]?.contract_id,
          work_id: quote.rfq_id,
          bid_id: quote.quote_id,
          provider_id: quote.provider_id,
          consumer_id: 'acme',
          agreed_price: 80,
          cpa_terms: {
            success_criteria: [{ metric: 'accuracy', threshold: 0.9, bonus: 0.02 }],
            max_bonus: 0.05,
            max_penalty_rate: 0.2,
          },
          a2a_endpoint: 'https://agent.expedia.com/a2a',
        },
      },
    ]);
  });

  it('again to the same quote answers the same and changes nothing', () => {
    const first = awardRfq(docs, awarding());
    const rfq = docAt(first, ref(rfqs, quote.rfq_id));
    // Even if the provider is no longer eligible: the award stands.
    const again = awardRfq({ rfq, quote, match: aMatch({ status: 'SUSPENDED' }) }, awarding());
    expect(again).toEqual({ writes: [], reply: first.reply });
  });

  it('is possible once: another quote comes too late', () => {
    const rfq = docAt(awardRfq(docs, awarding()), ref(rfqs, quote.rfq_id));
    const other = aQuote({ quote_id: 'quo_other' });
    expect(
      errorOf(() =>
        awardRfq({ rfq, quote: other, match: aMatch() }, awarding({ quote_id: 'quo_other' })),
      ),
    ).toMatchObject({ code: 'rfq_closed' });
  });

  it('never goes to what the provider put in the place of the quote that is awarded', () => {
    const replaced = aQuote({ quote_id: 'quo_dearer', price: '100', version: 2 });
    expect(errorOf(() => awardRfq({ ...docs, quote: replaced }, awarding()))).toMatchObject({
      code: 'conflict',
      message: expect.stringMatching(/replaced this quote; look at the quotes again/),
    });
  });

  it.each(['EXPIRED', 'CANCELLED'] as const)('fails when it is %s', (status) => {
    const closed = { ...docs, rfq: anRfq({ status }) };
    expect(errorOf(() => awardRfq(closed, awarding()))).toMatchObject({ code: 'rfq_closed' });
  });

  it('checks eligibility again, and says why not', () => {
    const fallen = aMatch({
      score: { value: 60, source: 'operator', captured_at: '2026-02-28T00:00:00.000Z' },
      collateral: { IRR: '1' },
    });
    expect(errorOf(() => awardRfq({ ...docs, match: fallen }, awarding()))).toMatchObject({
      code: 'not_eligible',
      details: {
        reasons: ['score_below_threshold', 'insufficient_collateral'],
        policy_version: grounds.policy_version,
      },
    });
  });

  it('with CPA terms needs an unexpired certification, where the configuration says so', () => {
    const rfq = anRfq({ cpa_terms: cpaTerms });
    expect(errorOf(() => awardRfq({ ...docs, rfq }, awarding()))).toMatchObject({
      code: 'not_eligible',
      details: { reasons: ['cpa_not_certified'] },
    });
    const { registry } = grounds;
    const lax = { ...registry, cpa: { ...registry.cpa, certification_required: false } };
    expect(awardRfq({ ...docs, rfq }, awarding({ registry: lax })).reply.status).toBe('AWARDED');
  });

  it('of another’s RFQ does not find it; the operator may', () => {
    expect(errorOf(() => awardRfq(docs, awarding({ org_slug: 'rival' })))).toMatchObject({
      code: 'not_found',
    });
    expect(awardRfq(docs, awarding({ org_slug: null })).reply.status).toBe('AWARDED');
  });

  it.each([
    ['an absent RFQ', { ...docs, rfq: null }],
    ['an absent quote', { ...docs, quote: null }],
    ['a quote whose provider is gone', { ...docs, match: null }],
  ])('of %s is not found', (_, given) => {
    expect(errorOf(() => awardRfq(given, awarding()))).toMatchObject({ code: 'not_found' });
  });
});
