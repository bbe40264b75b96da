import { createServer } from 'node:http';
import type { AddressInfo } from 'node:net';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';

import { type TestPurvey, readyBuyer, startAgent, startTestPurvey } from '../../support/purvey.ts';
import {
  absentId,
  answeredAlike,
  changesNothing,
  exhaust,
  ok,
  openRfq,
  refused,
  refusesBodies,
  registerProvider,
  statusesOf,
} from '../support.ts';

let purvey: TestPurvey;
let agent: Awaited<ReturnType<typeof startAgent>>;
let owned: { id: string; key: string };

const pathOf = (id: string) => `/v1/providers/${id}`;
const register = (name: string, given: Record<string, unknown> = {}) =>
  registerProvider(purvey, { name, endpoint: agent.url, ...given });
const put = ({ id, key }: { id: string; key: string }, body: unknown) =>
  purvey.call('PUT', pathOf(id), { as: { provider: key }, body });

/** A web server that answers every request with `status`, and counts them. */
async function answering(status: number) {
  let calls = 0;
  const server = createServer((_, res) => {
    calls++;
    res.writeHead(status).end();
  });
  await new Promise<void>((done) => server.listen(0, '127.0.0.1', done));
  const { port } = server.address() as AddressInfo;
  return {
    url: `http://127.0.0.1:${port}/a2a`,
    calls: () => calls,
    close: () => void server.close(),
  };
}

beforeAll(async () => {
  purvey = await startTestPurvey();
  agent = await startAgent();
  owned = await register('Owned');
});
afterAll(async () => {
  await purvey.close();
  await agent.close();
});

describe('updating a provider', () => {
  test('changes what is given, leaves what is absent, and shows the owner all of it', async () => {
    const provider = await register('Partial', {
      description: 'As before',
      contact_email: 'before@agents.example',
      capabilities: ['travel.booking'],
    });
    await purvey.clock.advance(1_000);
    const reply = await put(provider, {
      capabilities: ['legal.review'],
      metadata: { region: 'eu' },
      pricing_tiers: [{ category: 'legal.*', base_price_range: [1, 2.5] }],
    });
    expect(reply.status).toBe(200);
    expect(reply.body).toMatchObject({
      provider_id: provider.id,
      name: 'Partial',
      description: 'As before',
      contact_email: 'before@agents.example',
      capabilities: ['legal.review'],
      metadata: { region: 'eu' },
      pricing_tiers: [{ category: 'legal.*', base_price_range: [1, 2.5], priority: 0 }],
      status: 'PENDING_VERIFICATION',
      updated_at: new Date(purvey.clock.nowMs()).toISOString(),
      version: 2,
    });
    expect(JSON.stringify(reply.body)).not.toMatch(/aex_|hash/);
    const as = { provider: provider.key };
    expect(await ok(purvey.call('GET', pathOf(provider.id), { as }))).toMatchObject(reply.body);
  });

  test('believes nothing that a provider says about its own trust or status', async () => {
    const provider = await register('Boaster');
    const body = { description: 'x', trust_score: 1, trust_tier: 'PREFERRED', status: 'ACTIVE' };
    expect(await ok(put(provider, body))).toMatchObject({
      trust_score: 0.3,
      trust_tier: 'UNVERIFIED',
      status: 'PENDING_VERIFICATION',
    });
  });

  test('changes nothing when it is repeated, whatever version it names', async () => {
    const provider = await register('Repeated');
    const body = { description: 'New', endpoint: agent.url, name: 'REPEATED', version: 1 };
    const first = await ok(put(provider, body));
    expect(first.version).toBe(2);
    expect(await ok(changesNothing(purvey, () => put(provider, body)))).toEqual(first);
  });

  test('is for the operator as well', async () => {
    const { id } = await register('Corrected');
    const body = { description: 'Corrected by us' };
    expect(await ok(purvey.call('PUT', pathOf(id), { as: 'operator', body }))).toMatchObject(body);
  });

  test('moves its subscriptions to a new bid_webhook', async () => {
    const provider = await register('Moving', { bid_webhook: `${agent.url}/old` });
    const as = { provider: provider.key };
    const subscribing = { provider_id: provider.id, categories: ['moving.*'], delivery: {} };
    await ok(purvey.call('POST', '/v1/subscriptions', { as, body: subscribing }));
    for (const [route, body] of [
      ['verify', { verification_type: 'identity', verified: true }],
      ['scores', { score: 90, source: 'operator' }],
      ['collateral', { kind: 'deposit', amount: '250000000', currency: 'IRR', reference: 'test' }],
    ] as const)
      await ok(
        purvey.call('POST', `/internal/v1/providers/${provider.id}/${route}`, {
          as: 'operator',
          body,
        }),
      );
    await ok(put(provider, { bid_webhook: `${agent.url}/new` }));
    await openRfq(purvey, await readyBuyer(purvey), { category: 'moving.house' });
    expect(agent.received.map(({ path }) => path)).toEqual(['/new']);

    const taken = ['PUT', pathOf(provider.id), { as, body: { bid_webhook: '' } }] as const;
    expect(await refused(purvey, taken)).toMatchObject({
      code: 'conflict',
      message: expect.stringContaining('cancel'),
    });
  });
});

describe('a new name', () => {
  test('is taken from then on, and the former one is free', async () => {
    const provider = await register('Former name');
    await ok(put(provider, { name: 'Latter name' }));
    const body = { name: 'latter  NAME', endpoint: agent.url };
    expect(await refused(purvey, ['POST', '/v1/providers', { body }])).toMatchObject({
      code: 'name_taken',
    });
    await register('Former name');
  });

  test("that is another's answers 409", async () => {
    await register('Somebody else');
    const as = { provider: owned.key };
    for (const name of ['Somebody else', 'ＳＯＭＥＢＯＤＹ  else'])
      expect(
        await refused(purvey, ['PUT', pathOf(owned.id), { as, body: { name } }]),
      ).toMatchObject({ code: 'name_taken' });
  });

  test('that two want at once becomes one of theirs', async () => {
    const rivals = [await register('Rival one'), await register('Rival two')];
    const replies = await Promise.all(rivals.map((rival) => put(rival, { name: 'Crown' })));
    expect(statusesOf(replies)).toEqual([200, 409]);
  });
});

describe('a new endpoint', () => {
  test('is probed once, and one that stays is not', async () => {
    const server = await answering(404);
    const provider = await register('Probed');
    expect(await ok(put(provider, { endpoint: server.url }))).toMatchObject({
      endpoint: server.url,
    });
    expect(server.calls()).toBe(1);
    await ok(put(provider, { endpoint: server.url, description: 'New' }));
    expect(server.calls()).toBe(1);
    server.close();
  });

  test('that does not answer below 500 is 400, and nothing changes', async () => {
    const server = await answering(503);
    const as = { provider: owned.key };
    const body = { endpoint: server.url, description: 'Lost' };
    expect(await refused(purvey, ['PUT', pathOf(owned.id), { as, body }])).toMatchObject({
      code: 'endpoint_not_accessible',
      message: expect.stringMatching(/^Endpoint not accessible/),
      details: [{ field: 'body.endpoint' }],
    });
    server.close();
  });

  test('is not even called when the update is refused for something else', async () => {
    const server = await answering(200);
    const as = { provider: owned.key };
    const body = { endpoint: server.url, version: 99 };
    await refused(purvey, ['PUT', pathOf(owned.id), { as, body }]);
    expect(server.calls()).toBe(0);
    server.close();
  });

  test('of a host that was probed too often is 429', async () => {
    const server = await answering(200);
    const { host } = new URL(server.url);
    await exhaust(purvey, `registration-host:${host}`, { limit: 300, windowS: 3_600 });
    const as = { provider: owned.key };
    const body = { endpoint: server.url };
    const reply = await refused(purvey, ['PUT', pathOf(owned.id), { as, body }]);
    expect(reply.code).toBe('rate_limited');
    expect(Number(reply.headers.get('retry-after'))).toBeGreaterThan(0);
    expect(server.calls()).toBe(0);
    server.close();
  });
});

describe('an update is refused', () => {
  test('with 409 when the provider has changed since it was read', async () => {
    const provider = await register('Moved on');
    await ok(put(provider, { description: 'First' }));
    const as = { provider: provider.key };
    const body = { description: 'Second', version: 1 };
    expect(await refused(purvey, ['PUT', pathOf(provider.id), { as, body }])).toMatchObject({
      code: 'conflict',
      message: expect.stringContaining('version 2'),
    });
  });

  test('with 409 for an archived provider', async () => {
    const { id } = await register('Archived');
    await ok(purvey.call('DELETE', pathOf(id), { as: 'operator' }));
    const body = { description: 'Back again' };
    expect(await refused(purvey, ['PUT', pathOf(id), { as: 'operator', body }])).toMatchObject({
      code: 'conflict',
    });
  });

  test("with 404 for another's provider, as for one that there is not", async () => {
    const { id } = await register('Not yours');
    const given = { as: { provider: owned.key }, body: { description: 'Mine' } };
    expect(
      await answeredAlike(
        purvey,
        ['PUT', pathOf(id), given],
        ['PUT', pathOf(absentId('prov')), given],
      ),
    ).toMatchObject({ code: 'not_found' });
    const operator = { ...given, as: 'operator' } as const;
    expect(await refused(purvey, ['PUT', pathOf(absentId('prov')), operator])).toMatchObject({
      code: 'not_found',
    });
  });

  refusesBodies(
    () => purvey,
    () => ['PUT', pathOf(owned.id), { as: { provider: owned.key }, body: { description: 'New' } }],
    [
      ['a blank name', { name: ' ' }, 'name', /blank|empty/],
      ['a name that is too long', { name: 'x'.repeat(121) }, 'name', /most 120/],
      ['a description that is no text', { description: 5 }, 'description', 'must be a string'],
      ['an endpoint that is no URL', { endpoint: 'agent' }, 'endpoint', /URL/],
      ['no endpoint at all', { endpoint: '' }, 'endpoint', /URL/],
      ['a bid_webhook that is no URL', { bid_webhook: 'ftp://x.example' }, 'bid_webhook', /URL/],
      ['capabilities that are no list', { capabilities: 'travel' }, 'capabilities', /array/],
      ['an address that is none', { contact_email: 'nobody' }, 'contact_email', /email/],
      ['metadata that is no object', { metadata: [] }, 'metadata', /record|object/],
      [
        'prices in the wrong order',
        { pricing_tiers: [{ category: 'a', base_price_range: [2, 1] }] },
        'pricing_tiers.0.base_price_range',
        /lowest/,
      ],
      ['a version that is none', { version: 0 }, 'version', /.+/],
      ['another provider than the path names', { provider_id: 'prov_1' }, 'provider_id', /disag/],
    ],
  );
});

test('where insecure endpoints are not allowed, plain http is 400', async () => {
  const strict = await startTestPurvey({ env: { ALLOW_INSECURE_ENDPOINTS: 'true' } });
  const { id, key } = await registerProvider(strict, { name: 'Strict', endpoint: agent.url });
  strict.services.config.allow_insecure_endpoints = false;
  const as = { provider: key };
  for (const body of [{ endpoint: 'http://agent.example' }, { bid_webhook: 'http://a.example' }])
    expect(await refused(strict, ['PUT', pathOf(id), { as, body }])).toMatchObject({
      code: 'invalid_request',
    });
  await strict.close();
});
