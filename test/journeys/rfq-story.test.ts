import { afterAll, beforeAll, describe, expect, test } from 'vitest';

import type { EligibilityDecision } from '../../shared/eligibility/decision.ts';
import { verifyChain } from '../../shared/eligibility/audit.ts';
import {
  type ReadyProvider,
  type Received,
  type Reply,
  type TestPurvey,
  readyBuyer,
  readyProvider,
  startAgent,
  startTestPurvey,
} from '../support/purvey.ts';
import {
  type Envelope,
  clockAtPresent,
  listenTo,
  openRfq,
  readDecisions,
  readRfq,
  recordScore,
  storedPages,
  verifiedWebhook,
} from './support.ts';

/** Who takes part, and what each is expected to be told. */
const cast = {
  flights: { categories: ['travel.*'], score: 88.5 },
  hotels: {
    categories: ['hospitality.hotels', 'travel.booking'],
    score: 70,
    collateral: '200000000',
  },
  lowScore: { categories: ['travel.*'], score: 68 },
  lowCollateral: { categories: ['travel.booking'], collateral: '150000000' },
  unverified: { categories: ['*'], verified: false, score: 10, collateral: '0' },
  lawyer: { categories: ['legal/*'] },
};
type Name = keyof typeof cast;

let purvey: TestPurvey;
let agent: Awaited<ReturnType<typeof startAgent>>;
let buyer: { key: string };
const providers = {} as Record<Name, ReadyProvider>;

const toldOf = (name: Name): Received[] => agent.received.filter(({ path }) => path === `/${name}`);
const quote = (name: Name, rfqId: string, given: Record<string, unknown> = {}): Promise<Reply> =>
  purvey.call('POST', `/v1/rfqs/${rfqId}/quotes`, {
    as: { provider: providers[name].key },
    body: { price: '300', currency: 'USD', confidence: 0.9, ...given },
  });
const award = (rfqId: string, quoteId: string, key = buyer.key): Promise<Reply> =>
  purvey.call('POST', `/v1/rfqs/${rfqId}/award`, { as: { org: key }, body: { quote_id: quoteId } });

beforeAll(async () => {
  purvey = await startTestPurvey({ clock: clockAtPresent() });
  agent = await startAgent();
  for (const [name, given] of Object.entries(cast) as [Name, (typeof cast)['flights']][])
    providers[name] = await readyProvider(purvey, agent.url, { name, path: `/${name}`, ...given });
  buyer = await readyBuyer(purvey);
});
afterAll(async () => {
  await purvey.close();
  await agent.close();
});

describe('a provider', () => {
  test('is PENDING_VERIFICATION with its keys shown once, and ACTIVE once verified', async () => {
    const registration = await purvey.call('POST', '/v1/providers', {
      body: { name: 'Newcomer', endpoint: agent.url },
    });
    const { provider_id, api_key } = registration.body;
    expect(registration.status).toBe(200);
    expect(registration.body).toMatchObject({ status: 'PENDING_VERIFICATION' });
    expect(registration.body.api_key).toMatch(/^aex_pk_live_[0-9a-f]{64}$/);
    expect(registration.body.api_secret).toMatch(/^aex_sk_live_[0-9a-f]{64}$/);

    const again = await purvey.call('POST', '/v1/providers', {
      as: { provider: api_key },
      body: { name: 'Newcomer', endpoint: agent.url },
    });
    expect(again.body).toMatchObject({ provider_id, withheld: ['api_key', 'api_secret'] });
    expect(again.body).not.toHaveProperty('api_key');

    const verified = await purvey.call('POST', `/internal/v1/providers/${provider_id}/verify`, {
      as: 'operator',
      body: { verification_type: 'identity', verified: true },
    });
    expect(verified.body).toMatchObject({ provider_id, status: 'ACTIVE' });
  });

  test('can ask why it is or is not eligible', async () => {
    const explain = async (name: Name) => {
      const { id, key } = providers[name];
      return (
        await purvey.call('GET', `/v1/providers/${id}/eligibility`, { as: { provider: key } })
      ).body;
    };
    expect(await explain('flights')).toMatchObject({
      eligible: true,
      reasons: [],
      score: 88.5,
      collateral: { amount: '250000000', currency: 'IRR' },
      policy_version: expect.stringMatching(/[0-9a-f]{64}/),
    });
    expect(await explain('lowScore')).toMatchObject({
      eligible: false,
      reasons: ['score_below_threshold'],
    });
  });
});

describe('an RFQ', () => {
  let rfq: Reply['body'];
  let planned: Reply['body'];
  let decisions: EligibilityDecision[];

  beforeAll(async () => {
    rfq = await openRfq(purvey, buyer);
    await purvey.settle();
    planned = await readRfq(purvey, buyer, rfq.rfq_id);
    decisions = await readDecisions(purvey, buyer, rfq.rfq_id);
  });

  test('reaches exactly the eligible providers that match, each once', () => {
    const told = Object.keys(cast).filter((name) => toldOf(name as Name).length > 0);
    expect(told).toEqual(['flights', 'hotels']);
    expect(toldOf('flights')).toHaveLength(1);
    expect(toldOf('hotels')).toHaveLength(1);
  });

  test('comes as a webhook that the reference implementation accepts', () => {
    for (const name of ['flights', 'hotels'] as const)
      for (const received of toldOf(name))
        expect(verifiedWebhook(received, providers[name].webhookSecret)).toMatchObject({
          type: 'rfq.published',
          data: {
            rfq_id: rfq.rfq_id,
            category: 'travel.booking',
            budget: { max_price: '500', currency: 'USD' },
            bid_deadline: rfq.bid_deadline,
            quotes_url: `${purvey.url}/v1/rfqs/${rfq.rfq_id}/quotes`,
          },
        });
  });

  test('is signed for its receiver alone', () => {
    const [received] = toldOf('flights');
    if (!received) throw new Error('nothing was received');
    expect(() => verifiedWebhook(received, providers.hotels.webhookSecret)).toThrow(
      'No matching signature',
    );
    const altered = { ...received, body: received.body.replace('500', '900') };
    expect(() => verifiedWebhook(altered, providers.flights.webhookSecret)).toThrow(
      'No matching signature',
    );
  });

  test('leaves a decision with all its reasons about everybody who matches', () => {
    const byProvider = new Map(decisions.map((each) => [each.provider_id, each]));
    const reasonsOf = (name: Name) => byProvider.get(providers[name].id)?.reasons;
    expect(decisions).toHaveLength(5);
    expect(reasonsOf('flights')).toEqual([]);
    expect(reasonsOf('hotels')).toEqual([]);
    expect(reasonsOf('lowScore')).toEqual(['score_below_threshold']);
    expect(reasonsOf('lowCollateral')).toEqual(['insufficient_collateral']);
    expect(reasonsOf('unverified')).toEqual([
      'provider_not_active',
      'score_below_threshold',
      'insufficient_collateral',
    ]);
    expect(byProvider.has(providers.lawyer.id)).toBe(false);
  });

  test('is decided under one policy, by what was known then', () => {
    const [first] = decisions;
    expect(first?.policy_version).toMatch(/[0-9a-f]{64}/);
    expect(new Set(decisions.map(({ policy_version }) => policy_version)).size).toBe(1);
    const about = decisions.find(({ provider_id }) => provider_id === providers.lowCollateral.id);
    expect(about).toMatchObject({
      subscription_id: providers.lowCollateral.subscriptionId,
      score: 88.5,
      collateral: { amount: '150000000', currency: 'IRR' },
      decided_at: new Date(purvey.clock.nowMs()).toISOString(),
    });
  });

  test('counts whom it matched and told', () => {
    expect(planned.counts).toEqual({
      matched: 5,
      eligible: 2,
      delivered: 2,
      failed: 0,
      pending: 0,
    });
  });

  test('has an unbroken audit chain, sealed by its audit_root', async () => {
    const pages = await storedPages(purvey, rfq.rfq_id);
    expect(verifyChain(pages)).toEqual({ intact: true, root: planned.audit_root });
    expect(pages.flatMap((page) => page.decisions)).toEqual(decisions);

    const [page] = pages;
    const [decision, ...others] = page?.decisions ?? [];
    if (!page || !decision) throw new Error('nothing was stored');
    const forged = {
      ...page,
      decisions: [{ ...decision, eligible: !decision.eligible }, ...others],
    };
    expect(verifyChain([forged])).toMatchObject({ intact: false, index: 0 });
  });

  test('is nobody else’s to see', async () => {
    const stranger = await readyBuyer(purvey, 'other_buyer');
    for (const path of ['', '/decisions', '/quotes']) {
      const { status } = await purvey.call('GET', `/v1/rfqs/${rfq.rfq_id}${path}`, {
        as: { org: stranger.key },
      });
      expect(status).toBe(404);
    }
    const { status } = await purvey.call('GET', `/v1/rfqs/${rfq.rfq_id}`, {
      as: { provider: providers.lowScore.key },
    });
    expect(status).toBe(404);
  });
});

describe('quotes and the award', () => {
  let rfqId: string;
  let contractEvents: () => Promise<Envelope[]>;

  beforeAll(async () => {
    contractEvents = await listenTo(purvey, 'aex-contract-events');
    rfqId = (await openRfq(purvey, buyer)).rfq_id;
    await purvey.settle();
  });

  test('take a quote from whoever was told, and a better one in its place', async () => {
    expect(await quote('flights', rfqId)).toMatchObject({ status: 201, body: { price: '300' } });
    expect(await quote('flights', rfqId, { price: 250.5 })).toMatchObject({
      status: 201,
      body: { price: '250.5' },
    });
    expect((await quote('hotels', rfqId, { price: '420' })).status).toBe(201);
    const { body } = await purvey.call('GET', `/v1/rfqs/${rfqId}/quotes`, {
      as: { org: buyer.key },
    });
    const offered = body.quotes.map(({ provider_id, price }: Reply['body']) => [
      provider_id,
      price,
    ]);
    expect(Object.fromEntries(offered)).toEqual({
      [providers.flights.id]: '250.5',
      [providers.hotels.id]: '420',
    });
  });

  test('refuse what is foreign, over the budget or in another currency, and say so', async () => {
    const refused = async (name: Name, given = {}) => {
      const { status, body } = await quote(name, rfqId, given);
      return [status, body.error.code];
    };
    expect(await refused('lowScore')).toEqual([404, 'not_found']);
    expect(await refused('lawyer')).toEqual([404, 'not_found']);
    expect(await refused('hotels', { price: '500.01' })).toEqual([422, 'price_above_budget']);
    expect(await refused('hotels', { currency: 'EUR' })).toEqual([422, 'currency_mismatch']);
    expect(await refused('hotels', { price: '-1' })).toEqual([400, 'invalid_request']);
  });

  test('show a provider its own quote only', async () => {
    const { body } = await purvey.call('GET', `/v1/rfqs/${rfqId}/quotes`, {
      as: { provider: providers.hotels.key },
    });
    expect(body.quotes).toHaveLength(1);
    expect(body.quotes[0]).toMatchObject({ provider_id: providers.hotels.id });
  });

  test('check eligibility again at the award', async () => {
    const list = await purvey.call('GET', `/v1/rfqs/${rfqId}/quotes`, { as: { org: buyer.key } });
    const quoteOf = (name: Name): string =>
      list.body.quotes.find(({ provider_id }: Reply['body']) => provider_id === providers[name].id)
        .quote_id;

    await recordScore(purvey, providers.hotels.id, 40);
    const refused = await award(rfqId, quoteOf('hotels'));
    expect(refused.status).toBe(409);
    expect(refused.body.error).toMatchObject({
      code: 'not_eligible',
      details: { reasons: ['score_below_threshold'] },
    });

    const awarded = await award(rfqId, quoteOf('flights'));
    expect(awarded.status).toBe(200);
    expect(awarded.body).toMatchObject({
      rfq_id: rfqId,
      status: 'AWARDED',
      contracts: [{ provider_id: providers.flights.id, price: '250.5', currency: 'USD' }],
    });
    expect((await award(rfqId, quoteOf('flights'))).body).toEqual(awarded.body);
    expect((await award(rfqId, quoteOf('hotels'))).body.error.code).toBe('rfq_closed');
  });

  test('publish contract.awarded once', async () => {
    await purvey.settle();
    const events = await contractEvents();
    expect(events).toHaveLength(1);
    expect(events[0]).toMatchObject({
      event_type: 'contract.awarded',
      source: 'purvey',
      work_id: rfqId,
      provider_id: providers.flights.id,
      consumer_id: 'acme_travel',
      agreed_price: 250.5,
      currency: 'USD',
      data: { work_id: rfqId, agreed_price: 250.5 },
    });
  });

  test('are over when the bid deadline has passed', async () => {
    const { rfq_id } = await openRfq(purvey, buyer);
    await purvey.settle();
    await purvey.clock.advance(3_600_000);
    await purvey.settle();
    const late = await quote('flights', rfq_id);
    expect(late).toMatchObject({ status: 409, body: { error: { code: 'rfq_closed' } } });
  });
});
