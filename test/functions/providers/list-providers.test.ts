import { afterAll, beforeAll, describe, expect, test } from 'vitest';

import { type TestPurvey, startAgent, startTestPurvey } from '../../support/purvey.ts';
import {
  badPages,
  exhaust,
  ok,
  pagedThrough,
  refused,
  refusesQueries,
  registerProvider,
} from '../support.ts';

let purvey: TestPurvey;
let agent: Awaited<ReturnType<typeof startAgent>>;
const active: string[] = [];

const namesIn = async (query: string, as?: 'operator'): Promise<string[]> => {
  const body = await ok(purvey.call('GET', `/v1/providers?${query}`, { as }));
  return body.providers.map(({ name }: { name: string }) => name).toSorted();
};

beforeAll(async () => {
  purvey = await startTestPurvey();
  agent = await startAgent();
  for (const [name, capabilities] of [
    ['Hotels', ['hospitality.hotels']],
    ['Flights', ['travel.booking', 'travel.search']],
    ['Cruises', ['travel.booking']],
  ] as const) {
    const { id } = await registerProvider(purvey, {
      name,
      endpoint: agent.url,
      capabilities,
      contact_email: 'secret@agents.example',
      metadata: { internal: 'hush' },
      bid_webhook: `${agent.url}/hush`,
    });
    await ok(
      purvey.call('POST', `/internal/v1/providers/${id}/verify`, {
        as: 'operator',
        body: { verification_type: 'identity', verified: true },
      }),
    );
    active.push(id);
  }
  await registerProvider(purvey, {
    name: 'Newcomer',
    endpoint: agent.url,
    capabilities: ['travel.booking'],
  });
});
afterAll(async () => {
  await purvey.close();
  await agent.close();
});

describe('listing providers', () => {
  test('shows everybody the ACTIVE ones with what existing clients read, and nothing private', async () => {
    const reply = await purvey.call('GET', '/v1/providers', {
      headers: { 'x-api-key': 'dev-api-key' },
    });
    expect(reply.status).toBe(200);
    expect(Object.keys(reply.body).toSorted()).toEqual(['next_cursor', 'providers', 'total']);
    expect(reply.body).toMatchObject({ total: 3, next_cursor: null });
    expect(reply.body.providers).toContainEqual({
      provider_id: active[0],
      name: 'Hotels',
      description: '',
      endpoint: agent.url,
      status: 'ACTIVE',
      trust_score: 0.3,
      trust_tier: 'UNVERIFIED',
      capabilities: ['hospitality.hotels'],
    });
    expect(JSON.stringify(reply.body)).not.toMatch(/hush|secret@/);
  });

  test('filters by capability and by status', async () => {
    expect(await namesIn('capability=travel.booking')).toEqual(['Cruises', 'Flights']);
    expect(await namesIn('capability=travel.search')).toEqual(['Flights']);
    expect(await namesIn('capability=legal')).toEqual([]);
    expect(await namesIn('status=PENDING_VERIFICATION', 'operator')).toEqual(['Newcomer']);
    expect(await namesIn('status=SUSPENDED&capability=travel.booking', 'operator')).toEqual([]);
  });

  test('shows providers that are not ACTIVE to the operator alone: 403', async () => {
    for (const status of ['PENDING_VERIFICATION', 'SUSPENDED', 'INACTIVE'])
      expect(await refused(purvey, ['GET', `/v1/providers?status=${status}`])).toMatchObject({
        code: 'forbidden',
        message: expect.stringContaining('leave status out'),
      });
  });

  test('pages through all of them, each once, with one total', async () => {
    const first = await ok(purvey.call('GET', '/v1/providers?limit=2&capability=travel.booking'));
    expect(first.total).toBe(2);
    const listed = (await pagedThrough(purvey, ['GET', '/v1/providers'], 'providers')) as {
      provider_id: string;
    }[];
    expect(listed.map(({ provider_id }) => provider_id).toSorted()).toEqual(active.toSorted());
  });

  refusesQueries(
    () => purvey,
    () => ['GET', '/v1/providers'],
    [
      ...badPages,
      ['status=FAMOUS', 'status', /ACTIVE/],
      ['status=active', 'status', /ACTIVE/],
      ['capability=', 'capability', /empty/],
      [`capability=${'x'.repeat(129)}`, 'capability', /most 128/],
    ],
  );

  test('too often from one address is refused until the minute ends', async () => {
    await purvey.clock.advance(60_000);
    await exhaust(purvey, 'public_read:127.0.0.1', { limit: 600, windowS: 60 });
    const reply = await refused(purvey, ['GET', '/v1/providers']);
    expect(reply).toMatchObject({ code: 'rate_limited' });
    const retryAfterS = Number(reply.headers.get('retry-after'));
    expect(retryAfterS).toBeGreaterThan(0);
    expect(retryAfterS).toBeLessThanOrEqual(60);
    expect((await purvey.call('GET', '/v1/providers', { as: 'operator' })).status).toBe(200);
    await purvey.clock.advance(retryAfterS * 1_000);
    expect((await purvey.call('GET', '/v1/providers')).status).toBe(200);
  });
});
