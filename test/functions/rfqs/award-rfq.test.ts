import { afterAll, beforeAll, describe, expect, test } from 'vitest';

import { eligibilityPolicy } from '../../../shared/runtime/settings.ts';
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
  statusesOf,
  storedIn,
} from '../support.ts';

let purvey: TestPurvey;
let agent: Awaited<ReturnType<typeof startAgent>>;
let buyer: { slug: string; key: string };
let other: { key: string };
let first: ReadyProvider;
let second: ReadyProvider;

const pathOf = (id: string) => `/v1/rfqs/${id}/award`;
const award = (id: string, quote_id: string, headers: Record<string, string> = {}) =>
  purvey.call('POST', pathOf(id), { as: { org: buyer.key }, body: { quote_id }, headers });
const refusal = (id: string, quote_id: string, as = { org: buyer.key }) =>
  ['POST', pathOf(id), { as, body: { quote_id } }] as const;

async function quoteOf({ key }: ReadyProvider, rfqId: string, price = '450'): Promise<string> {
  const { quote_id } = await ok(
    purvey.call('POST', `/v1/rfqs/${rfqId}/quotes`, {
      as: { provider: key },
      body: { price, currency: 'USD', confidence: 0.9 },
    }),
  );
  return quote_id;
}

/** An RFQ with a quote of each provider. */
async function quotedRfq(): Promise<{ id: string; cheap: string; dear: string }> {
  const id = await openRfq(purvey, buyer);
  return {
    id,
    cheap: await quoteOf(first, id, '300.50'),
    dear: await quoteOf(second, id, '400'),
  };
}

beforeAll(async () => {
  purvey = await startTestPurvey();
  agent = await startAgent();
  buyer = await readyBuyer(purvey);
  other = await readyBuyer(purvey, 'other_buyer');
  first = await readyProvider(purvey, agent.url);
  second = await readyProvider(purvey, agent.url);
});
afterAll(async () => {
  await purvey.close();
  await agent.close();
});

describe('awarding an RFQ', () => {
  test('answers the contract, which RFQ and quote show from then on', async () => {
    const { id, cheap, dear } = await quotedRfq();
    const reply = await award(id, cheap);
    const contracts = [
      {
        contract_id: expect.stringMatching(/^con_/),
        provider_id: first.id,
        price: '300.5',
        currency: 'USD',
      },
    ];
    expect(reply.status).toBe(200);
    expect(reply.body).toEqual({ rfq_id: id, status: 'AWARDED', contracts });
    const rfq = await ok(purvey.call('GET', `/v1/rfqs/${id}`, { as: { org: buyer.key } }));
    expect(rfq).toMatchObject({
      status: 'AWARDED',
      award: { quote_ids: [cheap], contracts: reply.body.contracts },
    });
    const { quotes } = await ok(
      purvey.call('GET', `/v1/rfqs/${id}/quotes`, { as: { org: buyer.key } }),
    );
    expect(
      Object.fromEntries(
        quotes.map((quote: { quote_id: string; status: string }) => [quote.quote_id, quote.status]),
      ),
    ).toEqual({ [cheap]: 'AWARDED', [dear]: 'SUBMITTED' });
  });

  test('answers the same quote awarded twice the same, and does nothing', async () => {
    const { id, cheap } = await quotedRfq();
    const reply = await award(id, cheap);
    await purvey.clock.advance(1_000);
    const again = await changesNothing(purvey, () => award(id, cheap));
    expect([again.status, again.body]).toEqual([200, reply.body]);
  });

  test('finds no quote that was replaced, whatever took its place', async () => {
    const { id, cheap } = await quotedRfq();
    const dearer = await quoteOf(first, id, '499');
    expect(
      await answeredAlike(purvey, [...refusal(id, cheap)], [...refusal(id, absentId('quo'))]),
    ).toMatchObject({ code: 'not_found' });
    const { contracts } = await ok(award(id, dearer));
    expect(contracts).toMatchObject([{ price: '499' }]);
  });

  test('is refused for another quote after the award', async () => {
    const { id, cheap, dear } = await quotedRfq();
    await ok(award(id, cheap));
    expect(await refused(purvey, [...refusal(id, dear)])).toMatchObject({ code: 'rfq_closed' });
  });

  test('lets exactly one of two quotes win that are awarded at once', async () => {
    const { id, cheap, dear } = await quotedRfq();
    const replies = await Promise.all([award(id, cheap), award(id, dear)]);
    expect(statusesOf(replies)).toEqual([200, 409]);
    await purvey.settle();
    const rfq = await ok(purvey.call('GET', `/v1/rfqs/${id}`, { as: { org: buyer.key } }));
    const winner = replies.find(({ status }) => status === 200);
    expect(rfq.award.contracts).toEqual(winner?.body.contracts);
  });

  test('is possible after the bid deadline', async () => {
    const { id, cheap } = await quotedRfq();
    await purvey.clock.advance(2 * 3_600_000);
    expect((await award(id, cheap)).status).toBe(200);
  });

  test('is for the operator too', async () => {
    const { id, cheap } = await quotedRfq();
    const reply = await purvey.call('POST', pathOf(id), {
      as: 'operator',
      body: { quote_id: cheap },
    });
    expect(reply.body.status).toBe('AWARDED');
  });

  test('happens once for one Idempotency-Key', async () => {
    const { id, cheap, dear } = await quotedRfq();
    const headers = { 'idempotency-key': 'award-1' };
    const reply = await award(id, cheap, headers);
    const again = await changesNothing(purvey, () => award(id, cheap, headers));
    expect(again.body).toEqual(reply.body);
    expect(
      await refused(purvey, [
        'POST',
        pathOf(id),
        { as: { org: buyer.key }, body: { quote_id: dear }, headers },
      ]),
    ).toMatchObject({ code: 'idempotency_mismatch' });
  });

  test('is refused, with the reasons, for a provider that is no longer eligible', async () => {
    const fallen = await readyProvider(purvey, agent.url);
    const id = await openRfq(purvey, buyer);
    const quote = await quoteOf(fallen, id);
    const internal = `/internal/v1/providers/${fallen.id}`;
    await ok(
      purvey.call('POST', `${internal}/scores`, {
        as: 'operator',
        body: { score: 69, source: 'operator' },
      }),
    );
    await ok(
      purvey.call('POST', `${internal}/collateral`, {
        as: 'operator',
        body: { kind: 'lock', amount: '50000001', currency: 'IRR', reference: 'dispute' },
      }),
    );
    const reply = await refused(purvey, [...refusal(id, quote)]);
    expect(reply).toMatchObject({ code: 'not_eligible' });
    expect(reply.details).toEqual({
      reasons: ['score_below_threshold', 'insufficient_collateral'],
      policy_version: eligibilityPolicy().policy_version,
    });
    const written = storedIn(purvey, 'contracts');
    await ok(award(id, await quoteOf(first, id)));
    expect(storedIn(purvey, 'contracts')).toHaveLength(written.length + 1);
  });

  test("answers another buyer's RFQ as one that there is not", async () => {
    const { id, cheap } = await quotedRfq();
    const as = { org: other.key };
    expect(
      await answeredAlike(
        purvey,
        [...refusal(id, cheap, as)],
        [...refusal(absentId('rfq'), cheap, as)],
      ),
    ).toMatchObject({ code: 'not_found' });
  });

  test('answers the quote of another RFQ as one that there is not', async () => {
    const { id } = await quotedRfq();
    const { cheap: foreign } = await quotedRfq();
    expect(
      await answeredAlike(purvey, [...refusal(id, foreign)], [...refusal(id, absentId('quo'))]),
    ).toMatchObject({ code: 'not_found' });
  });

  test('is refused to a provider, and to a key that may only read', async () => {
    const { id, cheap } = await quotedRfq();
    expect(
      await refused(purvey, [
        'POST',
        pathOf(id),
        { as: { provider: first.key }, body: { quote_id: cheap } },
      ]),
    ).toMatchObject({ code: 'forbidden' });
    const { api_key } = await ok(
      purvey.call('POST', `/api/v1/orgs/${buyer.slug}/keys`, {
        as: 'operator',
        body: { name: 'reading', scopes: ['rfqs:read'] },
      }),
    );
    const reply = await refused(purvey, [...refusal(id, cheap, { org: api_key })]);
    expect(reply).toMatchObject({ code: 'forbidden' });
    expect(reply.details).toEqual({ required_scopes: ['rfqs:write'] });
  });

  describe('asks for a quote', () => {
    let good: { id: string; cheap: string };
    beforeAll(async () => {
      good = await quotedRfq();
    });
    refusesBodies(
      () => purvey,
      () => [...refusal(good.id, good.cheap)],
      [
        ['no quote_id', { quote_id: undefined }, 'quote_id', 'is required'],
        ['a quote_id that is no text', { quote_id: 5 }, 'quote_id', 'must be a string'],
        ['a quote_id that is a path', { quote_id: '../../x' }, 'quote_id', /must be an id/],
        ['a reserved quote_id', { quote_id: '__x__' }, 'quote_id', /must be an id/],
        ['another RFQ than the path names', { rfq_id: 'rfq_1' }, 'rfq_id', /disagrees/],
      ],
    );
  });
});
