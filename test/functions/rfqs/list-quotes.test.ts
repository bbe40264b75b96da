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
  badPages,
  ok,
  openRfq,
  pagedThrough,
  refused,
  refusesQueries,
} from '../support.ts';

let purvey: TestPurvey;
let agent: Awaited<ReturnType<typeof startAgent>>;
let buyer: { slug: string; key: string };
let other: { key: string };
const bidders: ReadyProvider[] = [];
let silent: ReadyProvider;
let elsewhere: ReadyProvider;
let rfqId: string;
const quotes: { provider_id: string }[] = [];

const pathOf = (id: string) => `/v1/rfqs/${id}/quotes`;
const byProvider = (a: { provider_id: string }, b: { provider_id: string }) =>
  a.provider_id < b.provider_id ? -1 : 1;

beforeAll(async () => {
  purvey = await startTestPurvey();
  agent = await startAgent();
  buyer = await readyBuyer(purvey);
  other = await readyBuyer(purvey, 'other_buyer');
  for (let i = 0; i < 3; i++) bidders.push(await readyProvider(purvey, agent.url));
  silent = await readyProvider(purvey, agent.url);
  elsewhere = await readyProvider(purvey, agent.url, { categories: ['legal/*'] });
  rfqId = await openRfq(purvey, buyer);
  for (const [i, { key }] of bidders.entries())
    quotes.push(
      await ok(
        purvey.call('POST', pathOf(rfqId), {
          as: { provider: key },
          body: { price: 100 + i, currency: 'USD', confidence: 0.5, message: `from ${i}` },
        }),
      ),
    );
  quotes.sort(byProvider);
});
afterAll(async () => {
  await purvey.close();
  await agent.close();
});

describe('listing the quotes of an RFQ', () => {
  test.each([
    ['its buyer', () => ({ org: buyer.key })],
    ['the operator', () => 'operator' as const],
  ])('shows %s all of them', async (_, as) => {
    const reply = await purvey.call('GET', pathOf(rfqId), { as: as() });
    expect(reply.status).toBe(200);
    expect(reply.body).toEqual({ quotes, next_cursor: null });
  });

  test('shows a provider its own, and nothing of its competitors', async () => {
    for (const { id, key } of bidders) {
      const reply = await purvey.call('GET', pathOf(rfqId), { as: { provider: key } });
      expect(reply.body.quotes).toHaveLength(1);
      expect(reply.body.quotes[0].provider_id).toBe(id);
      expect(reply.body.next_cursor).toBeNull();
    }
  });

  test('shows an invited provider that has not bid an empty list', async () => {
    expect(await ok(purvey.call('GET', pathOf(rfqId), { as: { provider: silent.key } }))).toEqual({
      quotes: [],
      next_cursor: null,
    });
  });

  test('pages through them, each once', async () => {
    const listed = await pagedThrough(
      purvey,
      ['GET', pathOf(rfqId), { as: { org: buyer.key } }],
      'quotes',
    );
    expect(listed).toEqual(quotes);
  });

  test.each([
    ['another buyer', () => ({ org: other.key })],
    ['a provider that was not invited', () => ({ provider: elsewhere.key })],
  ])('answers %s as for an RFQ that there is not', async (_, as) => {
    expect(
      await answeredAlike(
        purvey,
        ['GET', pathOf(rfqId), { as: as() }],
        ['GET', pathOf(absentId('rfq')), { as: as() }],
      ),
    ).toMatchObject({ code: 'not_found' });
  });

  test('answers 404 for an RFQ that there is not', async () => {
    for (const as of ['operator' as const, { org: buyer.key }, { provider: silent.key }])
      expect(await refused(purvey, ['GET', pathOf(absentId('rfq')), { as }])).toMatchObject({
        code: 'not_found',
      });
  });

  refusesQueries(
    () => purvey,
    () => ['GET', pathOf(rfqId), { as: { org: buyer.key } }],
    badPages,
  );
});
