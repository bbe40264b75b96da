import { afterAll, beforeAll, describe, expect, test } from 'vitest';

import {
  type ReadyProvider,
  type TestPurvey,
  readyProvider,
  startAgent,
  startTestPurvey,
} from '../../support/purvey.ts';
import {
  absentId,
  answeredAlike,
  changesNothing,
  expectNothingLeaked,
  ok,
  refused,
} from '../support.ts';

let purvey: TestPurvey;
let agent: Awaited<ReturnType<typeof startAgent>>;
let owner: ReadyProvider;
let other: ReadyProvider;

const pathOf = (id: string) => `/v1/subscriptions/${id}`;

beforeAll(async () => {
  purvey = await startTestPurvey();
  agent = await startAgent();
  owner = await readyProvider(purvey, agent.url);
  other = await readyProvider(purvey, agent.url);
});
afterAll(async () => {
  await purvey.close();
  await agent.close();
});

describe('cancelling a subscription', () => {
  test("answers another provider's as one that there is not, and leaves it alone", async () => {
    const as = { provider: other.key };
    expect(
      await answeredAlike(
        purvey,
        ['DELETE', pathOf(owner.subscriptionId), { as }],
        ['DELETE', pathOf(absentId('sub')), { as }],
      ),
    ).toMatchObject({ code: 'not_found' });
  });

  test('answers 404 to the operator for one that there is not', async () => {
    expect(
      await refused(purvey, ['DELETE', pathOf(absentId('sub')), { as: 'operator' }]),
    ).toMatchObject({ code: 'not_found' });
  });

  test('ends it, shows what it was, and answers a repetition the same', async () => {
    await purvey.clock.advance(1_000);
    const call = () =>
      purvey.call('DELETE', pathOf(owner.subscriptionId), { as: { provider: owner.key } });
    const reply = await call();
    expect(reply.status).toBe(200);
    expect(reply.body).toMatchObject({
      subscription_id: owner.subscriptionId,
      provider_id: owner.id,
      categories: ['travel.*'],
      status: 'CANCELLED',
      updated_at: new Date(purvey.clock.nowMs()).toISOString(),
    });
    expectNothingLeaked(purvey, reply);
    await purvey.clock.advance(1_000);
    const again = await changesNothing(purvey, call);
    expect(again.body).toEqual(reply.body);
    expect(
      await ok(purvey.call('GET', pathOf(owner.subscriptionId), { as: { provider: owner.key } })),
    ).toEqual(reply.body);
  });

  test('is for the operator too', async () => {
    const body = await ok(purvey.call('DELETE', pathOf(other.subscriptionId), { as: 'operator' }));
    expect(body).toMatchObject({ provider_id: other.id, status: 'CANCELLED' });
  });

  test('leaves nothing that matches', async () => {
    const { count } = await ok(
      purvey.call('GET', '/internal/v1/providers/subscribed?category=travel.booking', {
        as: 'operator',
      }),
    );
    expect(count).toBe(0);
  });
});
