import { afterAll, beforeAll, describe, expect, test } from 'vitest';

import {
  type ReadyProvider,
  type TestPurvey,
  readyBuyer,
  readyProvider,
  startAgent,
  startTestPurvey,
} from '../../support/purvey.ts';
import {
  absentId,
  answeredAlike,
  changesNothing,
  ok,
  openRfq,
  refused,
  refusesBodies,
  storedIn,
} from '../support.ts';

const good = { price: '450', currency: 'USD', confidence: 0.9 };

let purvey: TestPurvey;
let agent: Awaited<ReturnType<typeof startAgent>>;
let buyer: { slug: string; key: string };
let bidder: ReadyProvider;
let ineligible: ReadyProvider;
let elsewhere: ReadyProvider;
let rfqId: string;

const pathOf = (id: string) => `/v1/rfqs/${id}/quotes`;
const submit = (id: string, patch: object = {}, headers: Record<string, string> = {}) =>
  purvey.call('POST', pathOf(id), {
    as: { provider: bidder.key },
    body: { ...good, ...patch },
    headers,
  });
const refusal = (id: string, patch: object = {}) =>
  ['POST', pathOf(id), { as: { provider: bidder.key }, body: { ...good, ...patch } }] as const;

beforeAll(async () => {
  purvey = await startTestPurvey();
  agent = await startAgent();
  buyer = await readyBuyer(purvey);
  bidder = await readyProvider(purvey, agent.url);
  ineligible = await readyProvider(purvey, agent.url, { score: 68 });
  elsewhere = await readyProvider(purvey, agent.url, { categories: ['legal/*'] });
  rfqId = await openRfq(purvey, buyer, { quantity: 10, min_fill: 4 });
});
afterAll(async () => {
  await purvey.close();
  await agent.close();
});

describe('submitting a quote', () => {
  test('answers all of it', async () => {
    const reply = await submit(rfqId, {
      price: 450.5,
      capacity: '4',
      message: 'Sea view',
      cpa_acceptance: {
        expected_bonus: '0.05',
        criteria_guarantees: [{ metric: 'accuracy', guarantee: 0.95, confidence: 0.9 }],
      },
    });
    const now = new Date(purvey.clock.nowMs()).toISOString();
    expect(reply.status).toBe(201);
    expect(reply.body).toEqual({
      quote_id: expect.stringMatching(/^quo_/),
      rfq_id: rfqId,
      provider_id: bidder.id,
      status: 'SUBMITTED',
      price: '450.5',
      currency: 'USD',
      confidence: 0.9,
      capacity: '4',
      cpa_acceptance: {
        accept_cpa_terms: true,
        accept_penalty: true,
        max_penalty_accepted: null,
        expected_bonus: 0.05,
        criteria_guarantees: [{ metric: 'accuracy', guarantee: 0.95, confidence: 0.9 }],
      },
      message: 'Sea view',
      submitted_at: now,
      updated_at: now,
    });
  });

  test('replaces an earlier one under an id of its own', async () => {
    const id = await openRfq(purvey, buyer);
    const first = await ok(submit(id, { message: 'first' }));
    await purvey.clock.advance(1_000);
    const second = await ok(submit(id, { price: '500' }));
    expect(second).toMatchObject({ price: '500', message: null });
    expect(second.quote_id).not.toBe(first.quote_id);
    expect(storedIn(purvey, `rfqs/${id}/quotes`)).toEqual([`rfqs/${id}/quotes/${bidder.id}`]);
    const { quotes } = await ok(purvey.call('GET', pathOf(id), { as: { org: buyer.key } }));
    expect(quotes).toEqual([second]);
  });

  test('counts once for one Idempotency-Key', async () => {
    const headers = { 'idempotency-key': 'quote-1' };
    const first = await ok(submit(rfqId, {}, headers));
    await purvey.clock.advance(1_000);
    const again = await changesNothing(purvey, () => submit(rfqId, {}, headers));
    expect([again.status, again.body]).toEqual([201, first]);
  });

  test('is taken until the very deadline, and refused from then on', async () => {
    const id = await openRfq(purvey, buyer);
    await purvey.clock.advance(3_600_000 - 1);
    expect((await submit(id)).status).toBe(201);
    await purvey.clock.advance(1);
    const reply = await refused(purvey, [...refusal(id)]);
    expect(reply).toMatchObject({ code: 'rfq_closed' });
    expect(reply.message).toMatch(/^The bid deadline was 20/);
  });

  test('is refused once the RFQ is awarded', async () => {
    const id = await openRfq(purvey, buyer);
    const { quote_id } = await ok(submit(id));
    await ok(
      purvey.call('POST', `/v1/rfqs/${id}/award`, { as: { org: buyer.key }, body: { quote_id } }),
    );
    expect(await refused(purvey, [...refusal(id)])).toMatchObject({ code: 'rfq_closed' });
  });

  test.each([
    ['a provider that was found ineligible', () => ineligible],
    ['a provider that did not match', () => elsewhere],
  ])('answers %s as if there were no such RFQ', async (_, who) => {
    const id = await openRfq(purvey, buyer);
    const options = { as: { provider: who().key }, body: good };
    expect(
      await answeredAlike(
        purvey,
        ['POST', pathOf(id), options],
        ['POST', pathOf(absentId('rfq')), options],
      ),
    ).toMatchObject({ code: 'not_found' });
  });

  test('answers a provider that was not asked for as if there were no such RFQ', async () => {
    const id = await openRfq(purvey, buyer, { specific_providers: [elsewhere.id] });
    expect(await refused(purvey, [...refusal(id)])).toMatchObject({ code: 'not_found' });
  });

  test('is refused to a buyer, and to the operator who does not say for whom', async () => {
    expect(
      await refused(purvey, ['POST', pathOf(rfqId), { as: { org: buyer.key }, body: good }]),
    ).toMatchObject({ code: 'forbidden' });
    expect(
      await refused(purvey, ['POST', pathOf(rfqId), { as: 'operator', body: good }]),
    ).toMatchObject({ code: 'invalid_request', details: [{ field: 'body.provider_id' }] });
  });

  test("may be sent by the operator for a provider, but not with one provider's key for another", async () => {
    const id = await openRfq(purvey, buyer);
    const body = { ...good, provider_id: bidder.id };
    const reply = await purvey.call('POST', pathOf(id), { as: 'operator', body });
    expect([reply.status, reply.body.provider_id]).toEqual([201, bidder.id]);
    expect(
      await refused(purvey, ['POST', pathOf(id), { as: { provider: elsewhere.key }, body }]),
    ).toMatchObject({ code: 'invalid_request', details: [{ field: 'body.provider_id' }] });
  });

  test('is refused above the budget, and says up to where', async () => {
    const id = await openRfq(purvey, buyer);
    const reply = await refused(purvey, [...refusal(id, { price: '500.000000001' })]);
    expect(reply).toMatchObject({ code: 'price_above_budget' });
    expect(reply.message).toContain('at most 500 USD');
    expect((await submit(id, { price: 500 })).status).toBe(201);
  });

  test("is refused in another currency than the budget's, and says which it is", async () => {
    const id = await openRfq(purvey, buyer);
    const reply = await refused(purvey, [...refusal(id, { currency: 'EUR' })]);
    expect(reply).toMatchObject({ code: 'currency_mismatch' });
    expect(reply.message).toContain('quote in USD');
    expect(storedIn(purvey, `rfqs/${id}/quotes`)).toEqual([]);
  });

  test('is refused for less than the RFQ asks at least', async () => {
    const id = await openRfq(purvey, buyer, { quantity: 10, min_fill: 4 });
    expect(await refused(purvey, [...refusal(id, { capacity: 3.9 })])).toMatchObject({
      code: 'invalid_request',
      details: [{ field: 'body.capacity', reason: "must be at least the RFQ's min_fill, 4" }],
    });
  });

  refusesBodies(
    () => purvey,
    () => ['POST', pathOf(rfqId), { as: { provider: bidder.key }, body: good }],
    [
      ['no price', { price: undefined }, 'price', /required|decimal/],
      ['a negative price', { price: '-1' }, 'price', 'must be greater than 0'],
      ['a price of 0', { price: 0 }, 'price', 'must be greater than 0'],
      ['a price in words', { price: 'cheap' }, 'price', /decimal/],
      ['a price in exponents', { price: '1e2' }, 'price', /decimal/],
      ['no currency', { currency: undefined }, 'currency', 'is required'],
      ['a currency in small letters', { currency: 'usd' }, 'currency', /three capital letters/],
      ['no confidence', { confidence: undefined }, 'confidence', 'is required'],
      ['a confidence above 1', { confidence: 1.01 }, 'confidence', 'must be 0 to 1'],
      ['a negative confidence', { confidence: -0.1 }, 'confidence', 'must be 0 to 1'],
      ['a confidence in words', { confidence: '0.9' }, 'confidence', 'must be a number'],
      ['a negative capacity', { capacity: -1 }, 'capacity', 'must be greater than 0'],
      ['a message that is no text', { message: {} }, 'message', 'must be a string'],
      ['a message that is too long', { message: 'x'.repeat(2_001) }, 'message', /most 2000/],
      [
        'a negative expected bonus',
        { cpa_acceptance: { expected_bonus: -1 } },
        'cpa_acceptance.expected_bonus',
        'must not be negative',
      ],
      [
        'a penalty above 1',
        { cpa_acceptance: { max_penalty_accepted: 2 } },
        'cpa_acceptance.max_penalty_accepted',
        /most 1/,
      ],
      ['another RFQ than the path names', { rfq_id: 'rfq_1' }, 'rfq_id', /disagrees/],
    ],
  );
});
