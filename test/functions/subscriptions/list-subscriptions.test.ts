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
  badPages,
  expectNothingLeaked,
  ok,
  pagedThrough,
  refusesQueries,
} from '../support.ts';

const path = '/v1/subscriptions';

let purvey: TestPurvey;
let agent: Awaited<ReturnType<typeof startAgent>>;
let owner: ReadyProvider;
let other: ReadyProvider;
const own: string[] = [];

const idsOf = (subscriptions: { subscription_id: string }[]) =>
  subscriptions.map(({ subscription_id }) => subscription_id).toSorted();

beforeAll(async () => {
  purvey = await startTestPurvey();
  agent = await startAgent();
  owner = await readyProvider(purvey, agent.url);
  other = await readyProvider(purvey, agent.url);
  own.push(owner.subscriptionId);
  for (const categories of [['legal/*'], ['*']]) {
    const { subscription_id } = await ok(
      purvey.call('POST', path, {
        as: { provider: owner.key },
        body: { provider_id: owner.id, categories, delivery: { webhook_url: agent.url } },
      }),
    );
    own.push(subscription_id);
  }
  await ok(
    purvey.call('DELETE', `${path}/${owner.subscriptionId}`, { as: { provider: owner.key } }),
  );
});
afterAll(async () => {
  await purvey.close();
  await agent.close();
});

describe('listing subscriptions', () => {
  test('shows a provider all of its own, ended ones too, and no secret', async () => {
    const reply = await purvey.call('GET', path, { as: { provider: owner.key } });
    expect(reply.status).toBe(200);
    expect(reply.body).toMatchObject({ total: 3, next_cursor: null });
    expect(idsOf(reply.body.subscriptions)).toEqual(own.toSorted());
    expect(reply.body.subscriptions).toContainEqual(
      expect.objectContaining({ subscription_id: owner.subscriptionId, status: 'CANCELLED' }),
    );
    expectNothingLeaked(purvey, reply);
  });

  test("shows the operator everybody's, or one provider's", async () => {
    const all = await ok(purvey.call('GET', path, { as: 'operator' }));
    expect(idsOf(all.subscriptions)).toEqual([...own, other.subscriptionId].toSorted());
    const some = await ok(
      purvey.call('GET', `${path}?provider_id=${other.id}`, { as: 'operator' }),
    );
    expect(some).toMatchObject({ total: 1, next_cursor: null });
    expect(idsOf(some.subscriptions)).toEqual([other.subscriptionId]);
  });

  test('pages through them, each once', async () => {
    const listed = await pagedThrough(
      purvey,
      ['GET', `${path}?provider_id=${owner.id}`, { as: { provider: owner.key } }],
      'subscriptions',
    );
    expect(idsOf(listed as { subscription_id: string }[])).toEqual(own.toSorted());
  });

  test("answers for another provider's id as for one that there is not", async () => {
    const as = { provider: owner.key };
    expect(
      await answeredAlike(
        purvey,
        ['GET', `${path}?provider_id=${other.id}`, { as }],
        ['GET', `${path}?provider_id=${absentId('prov')}`, { as }],
      ),
    ).toMatchObject({ code: 'not_found' });
  });

  refusesQueries(
    () => purvey,
    () => ['GET', path, { as: { provider: owner.key } }],
    [...badPages, ['provider_id=../x', 'provider_id', /must be an id/]],
  );
});
