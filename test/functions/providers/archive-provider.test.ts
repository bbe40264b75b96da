import { afterAll, beforeAll, describe, expect, test } from 'vitest';

import {
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
  registerProvider,
  statusesOf,
} from '../support.ts';

let purvey: TestPurvey;
let agent: Awaited<ReturnType<typeof startAgent>>;

const pathOf = (id: string) => `/v1/providers/${id}`;

beforeAll(async () => {
  purvey = await startTestPurvey();
  agent = await startAgent();
});
afterAll(async () => {
  await purvey.close();
  await agent.close();
});

describe('archiving a provider', () => {
  test('ends its keys, takes it off the list and keeps it from every RFQ', async () => {
    const { id, key } = await readyProvider(purvey, agent.url, { path: '/archived' });
    const buyer = await readyBuyer(purvey);
    const reply = await purvey.call('DELETE', pathOf(id), { as: { provider: key } });
    expect(reply.status).toBe(200);
    expect(reply.body).toMatchObject({ provider_id: id, status: 'INACTIVE', status_reason: null });
    expect(JSON.stringify(reply.body)).not.toMatch(/aex_|hash/);

    for (const call of [
      ['GET', '/v1/subscriptions', { as: { provider: key } }],
      ['DELETE', pathOf(id), { as: { provider: key } }],
    ] as const)
      expect(await refused(purvey, call)).toMatchObject({ code: 'invalid_api_key' });

    expect((await ok(purvey.call('GET', '/v1/providers'))).providers).toEqual([]);
    expect(await ok(purvey.call('GET', pathOf(id)))).toMatchObject({ status: 'INACTIVE' });

    const rfq = await openRfq(purvey, buyer);
    const { decisions } = await ok(
      purvey.call('GET', `/v1/rfqs/${rfq}/decisions`, { as: { org: buyer.key } }),
    );
    expect(decisions).toEqual([]);
    expect(agent.received.filter(({ path }) => path === '/archived')).toEqual([]);
  });

  test('changes nothing when the operator repeats it', async () => {
    const { id } = await registerProvider(purvey, { name: 'Twice', endpoint: agent.url });
    const archive = () => purvey.call('DELETE', pathOf(id), { as: 'operator' });
    const first = await ok(archive());
    expect(await ok(changesNothing(purvey, archive))).toEqual(first);
  });

  test('archives once when two ask at the same time', async () => {
    const { id } = await registerProvider(purvey, { name: 'Raced', endpoint: agent.url });
    const archive = () => purvey.call('DELETE', pathOf(id), { as: 'operator' });
    const replies = await Promise.all([archive(), archive()]);
    expect(statusesOf(replies)).toEqual([200, 200]);
    expect(replies.map(({ body }) => body.version)).toEqual([2, 2]);
  });

  test('stands when an update comes at the same time, whichever is first', async () => {
    const { id, key } = await registerProvider(purvey, { name: 'Hasty', endpoint: agent.url });
    const [archived, updated] = await Promise.all([
      purvey.call('DELETE', pathOf(id), { as: 'operator' }),
      purvey.call('PUT', pathOf(id), { as: { provider: key }, body: { name: 'Hastier' } }),
    ]);
    expect(archived.status).toBe(200);
    expect([200, 401, 409]).toContain(updated.status);
    expect(await ok(purvey.call('GET', pathOf(id)))).toMatchObject({
      status: 'INACTIVE',
      name: updated.status === 200 ? 'Hastier' : 'Hasty',
    });
  });

  test('keeps its name taken, so that nobody else can pass for it', async () => {
    const body = { name: 'Well known', endpoint: agent.url };
    const { id, key } = await registerProvider(purvey, body);
    await ok(purvey.call('DELETE', pathOf(id), { as: { provider: key } }));
    const headers = { authorization: `Bearer ${key}` };
    for (const given of [{}, { headers }])
      expect(await refused(purvey, ['POST', '/v1/providers', { body, ...given }])).toMatchObject({
        code: 'name_taken',
      });
  });

  test("answers 404 for another's provider as for one that there is not", async () => {
    const { key } = await registerProvider(purvey, { name: 'Envious', endpoint: agent.url });
    const { id } = await registerProvider(purvey, { name: 'Envied', endpoint: agent.url });
    const as = { provider: key };
    expect(
      await answeredAlike(
        purvey,
        ['DELETE', pathOf(id), { as }],
        ['DELETE', pathOf(absentId('prov')), { as }],
      ),
    ).toMatchObject({ code: 'not_found' });
    expect(
      await refused(purvey, ['DELETE', pathOf(absentId('prov')), { as: 'operator' }]),
    ).toMatchObject({ code: 'not_found' });
  });
});
