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
  changesNothing,
  ok,
  openRfq,
  refused,
  refusesBodies,
  registerProvider,
} from '../support.ts';

let purvey: TestPurvey;
let agent: Awaited<ReturnType<typeof startAgent>>;
let waiting: { id: string; key: string };

const pathOf = (id: string) => `/v1/providers/${id}/status`;
const suspend = { status: 'SUSPENDED', reason: 'complaints' };
const change = (id: string, status: string, headers: Record<string, string> = {}) =>
  purvey.call('POST', pathOf(id), {
    as: 'operator',
    body: { status, reason: `now ${status}` },
    headers,
  });

beforeAll(async () => {
  purvey = await startTestPurvey();
  agent = await startAgent();
  waiting = await registerProvider(purvey, { name: 'Waiting', endpoint: agent.url });
});
afterAll(async () => {
  await purvey.close();
  await agent.close();
});

describe("changing a provider's status", () => {
  test('activates, suspends and lifts the suspension; the owner reads why', async () => {
    const { id, key } = await registerProvider(purvey, { name: 'Ups', endpoint: agent.url });
    for (const status of ['ACTIVE', 'SUSPENDED', 'PENDING_VERIFICATION', 'ACTIVE']) {
      const reply = await change(id, status);
      expect(reply.status).toBe(200);
      expect(reply.body).toMatchObject({
        provider_id: id,
        status,
        status_reason: `now ${status}`,
        trust_tier: 'UNVERIFIED',
        verified_at: null,
      });
    }
    const path = `/v1/providers/${id}`;
    expect(await ok(purvey.call('GET', path, { as: { provider: key } }))).toMatchObject({
      status: 'ACTIVE',
      status_reason: 'now ACTIVE',
    });
    expect(await ok(purvey.call('GET', path))).not.toHaveProperty('status_reason');
  });

  test('keeps a suspended provider from being told of RFQs, until the suspension is lifted', async () => {
    const { id, key } = await readyProvider(purvey, agent.url, { path: '/suspended' });
    const buyer = await readyBuyer(purvey);
    const told = () => agent.received.filter(({ path }) => path === '/suspended').length;
    await ok(change(id, 'SUSPENDED'));
    const rfq = await openRfq(purvey, buyer);
    expect(told()).toBe(0);
    const { decisions } = await ok(
      purvey.call('GET', `/v1/rfqs/${rfq}/decisions`, { as: { org: buyer.key } }),
    );
    expect(decisions).toContainEqual(
      expect.objectContaining({
        provider_id: id,
        eligible: false,
        reasons: expect.arrayContaining(['provider_not_active']),
      }),
    );
    // Its key still works: it may read what is its own, and set right what was wrong.
    await ok(purvey.call('GET', '/v1/subscriptions', { as: { provider: key } }));

    await ok(change(id, 'ACTIVE'));
    await openRfq(purvey, buyer);
    expect(told()).toBe(1);
  });

  test('changes nothing when asked for the status that it has', async () => {
    const { id } = await registerProvider(purvey, { name: 'Twice', endpoint: agent.url });
    const first = await ok(change(id, 'SUSPENDED'));
    const again = await changesNothing(purvey, () =>
      purvey.call('POST', pathOf(id), {
        as: 'operator',
        body: { status: 'SUSPENDED', reason: 'for another reason' },
      }),
    );
    expect(again.status).toBe(200);
    expect(again.body).toEqual(first);
  });

  test('is one change under one Idempotency-Key, even when the status has moved on since', async () => {
    const { id } = await registerProvider(purvey, { name: 'Keyed', endpoint: agent.url });
    const headers = { 'idempotency-key': 'suspend-once' };
    const first = await ok(change(id, 'SUSPENDED', headers));
    await ok(change(id, 'ACTIVE'));
    expect(await ok(change(id, 'SUSPENDED', headers))).toEqual(first);
    expect(await ok(purvey.call('GET', `/v1/providers/${id}`))).toMatchObject({ status: 'ACTIVE' });
  });

  test('archives for good, and ends its keys', async () => {
    const { id, key } = await registerProvider(purvey, { name: 'Gone', endpoint: agent.url });
    await ok(change(id, 'INACTIVE'));
    const list = ['GET', '/v1/subscriptions', { as: { provider: key } }] as const;
    expect(await refused(purvey, list)).toMatchObject({ code: 'invalid_api_key' });
    for (const status of ['PENDING_VERIFICATION', 'ACTIVE', 'SUSPENDED'])
      expect(
        await refused(purvey, [
          'POST',
          pathOf(id),
          { as: 'operator', body: { status, reason: 'regret' } },
        ]),
      ).toMatchObject({ code: 'invalid_transition', message: expect.stringContaining('final') });
  });

  test('answers 409 for a transition that there is not, and names those that there are', async () => {
    const { id } = await registerProvider(purvey, { name: 'Active', endpoint: agent.url });
    await ok(change(id, 'ACTIVE'));
    const body = { status: 'PENDING_VERIFICATION', reason: 'doubts' };
    expect(await refused(purvey, ['POST', pathOf(id), { as: 'operator', body }])).toMatchObject({
      code: 'invalid_transition',
      message: expect.stringContaining('SUSPENDED or INACTIVE'),
    });
  });

  test('answers 404 for a provider that there is not', async () => {
    expect(
      await refused(purvey, ['POST', pathOf(absentId('prov')), { as: 'operator', body: suspend }]),
    ).toMatchObject({ code: 'not_found' });
  });

  test('answers 403 to the provider itself: it cannot lift its own suspension', async () => {
    const body = { status: 'ACTIVE', reason: 'please' };
    expect(
      await refused(purvey, ['POST', pathOf(waiting.id), { as: { provider: waiting.key }, body }]),
    ).toMatchObject({ code: 'forbidden' });
  });

  refusesBodies(
    () => purvey,
    () => ['POST', pathOf(waiting.id), { as: 'operator', body: suspend }],
    [
      ['no status', { status: undefined }, 'status', /required|must be/],
      ['an unknown status', { status: 'FAMOUS' }, 'status', /SUSPENDED/],
      ['no reason', { reason: undefined }, 'reason', 'is required'],
      ['a blank reason', { reason: ' ' }, 'reason', /blank|empty/],
      ['a reason that is too long', { reason: 'x'.repeat(2_001) }, 'reason', /most 2000/],
      ['another provider than the path names', { provider_id: 'prov_1' }, 'provider_id', /disag/],
    ],
  );
});
