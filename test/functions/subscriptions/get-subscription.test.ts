import { afterAll, beforeAll, expect, test } from 'vitest';

import {
  type ReadyProvider,
  type TestPurvey,
  readyProvider,
  startAgent,
  startTestPurvey,
} from '../../support/purvey.ts';
import { absentId, answeredAlike, ok, refused, registerProvider } from '../support.ts';

let purvey: TestPurvey;
let agent: Awaited<ReturnType<typeof startAgent>>;
let owner: ReadyProvider;

beforeAll(async () => {
  purvey = await startTestPurvey();
  agent = await startAgent();
  owner = await readyProvider(purvey, agent.url);
});
afterAll(async () => {
  await purvey.close();
  await agent.close();
});

test.each([
  ['its owner', () => ({ provider: owner.key })],
  ['the operator', () => 'operator' as const],
])('shows a subscription to %s, without its secret', async (_, as) => {
  const body = await ok(
    purvey.call('GET', `/v1/subscriptions/${owner.subscriptionId}`, { as: as() }),
  );
  expect(body).toEqual({
    subscription_id: owner.subscriptionId,
    provider_id: owner.id,
    categories: ['travel.*'],
    cpa_filter_active: false,
    status: 'ACTIVE',
    filters: { min_budget: null, max_latency_ms: null, regions: [] },
    cpa_preferences: {
      only_cpa_enabled: false,
      min_bonus_opportunity: null,
      max_penalty_exposure: null,
      preferred_criteria: [],
    },
    delivery: { method: 'webhook', webhook_url: `${agent.url}/work` },
    created_at: expect.any(String),
    updated_at: expect.any(String),
  });
});

test("answers another provider's subscription as one that there is not", async () => {
  const { key } = await registerProvider(purvey, { name: 'Other', endpoint: agent.url });
  const as = { provider: key };
  expect(
    await answeredAlike(
      purvey,
      ['GET', `/v1/subscriptions/${owner.subscriptionId}`, { as }],
      ['GET', `/v1/subscriptions/${absentId('sub')}`, { as }],
    ),
  ).toMatchObject({ code: 'not_found' });
});

test('answers 404 to the operator for one that there is not', async () => {
  expect(
    await refused(purvey, ['GET', `/v1/subscriptions/${absentId('sub')}`, { as: 'operator' }]),
  ).toMatchObject({ code: 'not_found' });
});
