import { afterAll, beforeAll, describe, expect, test } from 'vitest';

import {
  type ReadyProvider,
  type TestPurvey,
  readyBuyer,
  readyProvider,
  startAgent,
  startTestPurvey,
} from '../../support/purvey.ts';
import { absentId, answeredAlike, expectNothingLeaked, ok, openRfq, refused } from '../support.ts';

let purvey: TestPurvey;
let agent: Awaited<ReturnType<typeof startAgent>>;
let buyer: { slug: string; key: string };
let other: { key: string };
let invited: ReadyProvider;
let ineligible: ReadyProvider;
let elsewhere: ReadyProvider;
let rfqId: string;

const pathOf = (id: string) => `/v1/rfqs/${id}`;

beforeAll(async () => {
  purvey = await startTestPurvey();
  agent = await startAgent();
  buyer = await readyBuyer(purvey);
  other = await readyBuyer(purvey, 'other_buyer');
  invited = await readyProvider(purvey, agent.url);
  ineligible = await readyProvider(purvey, agent.url, { score: 68 });
  elsewhere = await readyProvider(purvey, agent.url, { categories: ['legal/*'] });
  rfqId = await openRfq(purvey, buyer, { specific_providers: [invited.id, ineligible.id] });
});
afterAll(async () => {
  await purvey.close();
  await agent.close();
});

describe('showing an RFQ', () => {
  test.each([
    ['its buyer', () => ({ org: buyer.key })],
    ['the operator', () => 'operator' as const],
  ])('tells %s how far it has come', async (_, as) => {
    const reply = await purvey.call('GET', pathOf(rfqId), { as: as() });
    expect(reply.status).toBe(200);
    expect(reply.body).toMatchObject({
      rfq_id: rfqId,
      org_slug: buyer.slug,
      status: 'OPEN',
      specific_providers: [invited.id, ineligible.id],
      counts: { matched: 2, eligible: 1, delivered: 1, failed: 0, pending: 0 },
      audit_root: expect.stringMatching(/[0-9a-f]{64}$/),
    });
    expect(reply.body).not.toHaveProperty('award');
    expect(reply.body).not.toHaveProperty('plan');
    expectNothingLeaked(purvey, reply);
  });

  test('counts as pending what has not been delivered yet', async () => {
    const failing = await startAgent(() => 500);
    await readyProvider(purvey, failing.url, { categories: ['pending.*'] });
    const id = await openRfq(purvey, buyer, { category: 'pending.work' });
    const { counts } = await ok(purvey.call('GET', pathOf(id), { as: { org: buyer.key } }));
    expect(counts).toEqual({ matched: 1, eligible: 1, delivered: 0, failed: 0, pending: 1 });
    await failing.close();
  });

  test('tells an invited provider the terms, but not who buys nor who else was asked', async () => {
    const reply = await purvey.call('GET', pathOf(rfqId), { as: { provider: invited.key } });
    expect(reply.status).toBe(200);
    expect(reply.body).toEqual({
      rfq_id: rfqId,
      status: 'OPEN',
      category: 'travel.booking',
      description: 'Three nights in Lisbon for two',
      budget: { max_price: '500', currency: 'USD' },
      bid_deadline: expect.any(String),
      region: null,
      max_latency_ms: null,
      quantity: null,
      min_fill: null,
      success_criteria: [],
      cpa_terms: null,
      quotes_url: `${purvey.url}/v1/rfqs/${rfqId}/quotes`,
    });
  });

  test.each([
    ['a provider that was found ineligible', () => ({ provider: ineligible.key })],
    ['a provider that did not match', () => ({ provider: elsewhere.key })],
    ['another buyer', () => ({ org: other.key })],
  ])('answers %s as for one that there is not', async (_, as) => {
    expect(
      await answeredAlike(
        purvey,
        ['GET', pathOf(rfqId), { as: as() }],
        ['GET', pathOf(absentId('rfq')), { as: as() }],
      ),
    ).toMatchObject({ code: 'not_found' });
  });

  test('answers 404 for one that there is not', async () => {
    for (const as of ['operator' as const, { org: buyer.key }, { provider: invited.key }])
      expect(await refused(purvey, ['GET', pathOf(absentId('rfq')), { as }])).toMatchObject({
        code: 'not_found',
      });
  });
});
