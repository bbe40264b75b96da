import { describe, expect, it } from 'vitest';

import { decide } from '../../../shared/eligibility/decision.ts';
import { SubmitQuote, quoteRef } from '../../../shared/rfqs/quote.ts';
import { type SubmitQuoteCommand, submitQuote } from '../../../shared/rfqs/submit-quote.ts';
import { quoteView } from '../../../shared/rfqs/view.ts';
import {
  aMatch,
  aQuote,
  anRfq,
  at,
  command,
  cpaTerms,
  docAt,
  errorOf,
  grounds,
} from '../examples.ts';

const provider_id = 'prov_0000000000000001';
const offer = { price: 80, currency: 'USD', confidence: 0.9 };
const decision = (match = aMatch()) =>
  decide(match, 'sub_1', { ...grounds, category: 'travel.booking' }, at);

const quoting = (
  request: Record<string, unknown> = {},
  changes: Partial<SubmitQuoteCommand> = {},
): SubmitQuoteCommand => ({
  ...command(),
  rfq_id: anRfq().rfq_id,
  provider_id,
  request: SubmitQuote.parse({ ...offer, ...request }),
  invitation: decision(),
  ...changes,
});

const open = { rfq: anRfq(), quote: null };

describe('submitting a quote', () => {
  it('stores and publishes it', () => {
    const submitted = submitQuote(open, quoting({ message: 'soon' }));
    expect(docAt(submitted, quoteRef(anRfq().rfq_id, provider_id))).toMatchObject({
      provider_id,
      price: '80',
      status: 'SUBMITTED',
      message: 'soon',
      version: 1,
    });
    expect(submitted.events).toMatchObject([
      {
        topic: 'aex-bid-events',
        type: 'bid.submitted',
        fields: { bid_id: submitted.reply.quote_id, price: 80, confidence: 0.9 },
      },
    ]);
  });

  it('replaces the former quote of the provider, under an id of its own', () => {
    const first = submitQuote(open, quoting()).reply;
    const replacing = submitQuote({ rfq: anRfq(), quote: first }, quoting({ price: '79.5' }));
    const live = docAt(replacing, quoteRef(anRfq().rfq_id, provider_id));
    expect(live).toMatchObject({ price: '79.5', version: 2 });
    expect(live?.quote_id).not.toBe(first.quote_id);
    expect(submitQuote({ rfq: anRfq(), quote: first }, quoting()).reply.quote_id).toBe(
      live?.quote_id,
    );
  });

  it('is possible until the deadline, and late at it', () => {
    const deadline = Date.parse(anRfq().bid_deadline);
    const before = quoting({}, { at: new Date(deadline - 1) });
    expect(submitQuote(open, before).reply.status).toBe('SUBMITTED');
    const late = quoting({}, { at: new Date(deadline) });
    expect(errorOf(() => submitQuote(open, late))).toMatchObject({ code: 'rfq_closed' });
  });

  it.each(['AWARDED', 'EXPIRED', 'CANCELLED'] as const)('is too late when it is %s', (status) => {
    const closed = { rfq: anRfq({ status }), quote: null };
    expect(errorOf(() => submitQuote(closed, quoting()))).toMatchObject({ code: 'rfq_closed' });
  });

  it('of whoever was not invited does not even find the RFQ', () => {
    const refused = decision(aMatch({ score: null }));
    const another = decision(aMatch({ provider_id: 'prov_other' }));
    for (const invitation of [null, refused, another])
      expect(errorOf(() => submitQuote(open, quoting({}, { invitation })))).toMatchObject({
        code: 'not_found',
      });
    expect(errorOf(() => submitQuote({ rfq: null, quote: null }, quoting()))).toMatchObject({
      code: 'not_found',
    });
  });

  it('needs the budget’s currency', () => {
    expect(errorOf(() => submitQuote(open, quoting({ currency: 'EUR' })))).toMatchObject({
      code: 'currency_mismatch',
    });
  });

  it('may cost all of the budget, but not more', () => {
    expect(submitQuote(open, quoting({ price: '100.0' })).reply.price).toBe('100');
    expect(errorOf(() => submitQuote(open, quoting({ price: '100.000000001' })))).toMatchObject({
      code: 'price_above_budget',
    });
  });

  it('needs at least the capacity of min_fill', () => {
    const rfq = anRfq({ quantity: '10', min_fill: '5' });
    expect(
      errorOf(() => submitQuote({ rfq, quote: null }, quoting({ capacity: 4 }))),
    ).toMatchObject({
      code: 'invalid_request',
      details: [{ field: 'body.capacity' }],
    });
    expect(submitQuote({ rfq, quote: null }, quoting({ capacity: 5 })).reply.capacity).toBe('5');
  });

  describe('for work with CPA terms', () => {
    const offering = (max_penalty_rate: number, cpa_acceptance?: object | null) => {
      const rfq = anRfq({ cpa_terms: { ...cpaTerms, max_penalty_rate } });
      return submitQuote({ rfq, quote: null }, quoting({ cpa_acceptance })).reply;
    };

    it.each([
      [0.2, undefined],
      [0.2, null],
      [0.2, {}],
      [0.2, { max_penalty_accepted: 0.2 }],
      [0, { accept_penalty: false, max_penalty_accepted: 0 }],
    ])('with a penalty rate of %d takes the acceptance %j', (rate, acceptance) => {
      expect(offering(rate, acceptance).status).toBe('SUBMITTED');
    });

    it.each([
      ['accept_cpa_terms', 0, { accept_cpa_terms: false }],
      ['accept_penalty', 0.2, { accept_penalty: false }],
      ['max_penalty_accepted', 0.2, { max_penalty_accepted: 0.19 }],
    ])('refuses one whose %s falls short, and names what is asked', (name, rate, acceptance) => {
      expect(errorOf(() => offering(rate, acceptance))).toMatchObject({
        code: 'invalid_request',
        details: [
          {
            field: `body.cpa_acceptance.${name}`,
            reason: expect.stringContaining(rate === 0 ? 'CPA terms' : `max_penalty_rate`),
          },
        ],
      });
    });

    it('asks for nothing where there are no CPA terms', () => {
      const declined = quoting({ cpa_acceptance: { accept_cpa_terms: false } });
      expect(submitQuote(open, declined).reply.status).toBe('SUBMITTED');
    });
  });

  it.each([{ price: 0 }, { price: -1 }, { confidence: 1.1 }, { currency: '$' }, { capacity: 0 }])(
    'is refused with %o',
    (changes) => {
      expect(SubmitQuote.safeParse({ ...offer, ...changes }).success).toBe(false);
    },
  );
});

describe('a quote as it is shown', () => {
  it('has its price as a decimal string, and a bonus as a JSON number', () => {
    const cpa_acceptance = {
      accept_cpa_terms: true,
      accept_penalty: true,
      max_penalty_accepted: 0.2,
      expected_bonus: '0.05',
      criteria_guarantees: [],
    };
    expect(quoteView(aQuote({ cpa_acceptance }))).toMatchObject({
      price: '80',
      cpa_acceptance: { expected_bonus: 0.05 },
    });
    expect(quoteView(aQuote()).cpa_acceptance).toBeNull();
  });
});
