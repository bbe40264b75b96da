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
  badPages,
  expectNothingLeaked,
  ok,
  openRfq,
  pagedThrough,
  refusesQueries,
} from '../support.ts';

const path = '/api/v1/dead-letters';

let purvey: TestPurvey;
let gone: Awaited<ReturnType<typeof startAgent>>;
let buyer: { slug: string; key: string };
let provider: ReadyProvider;
const rfqIds: string[] = [];

beforeAll(async () => {
  purvey = await startTestPurvey();
  gone = await startAgent(() => 410);
  buyer = await readyBuyer(purvey);
  for (const category of ['old.work', 'new.work']) {
    await purvey.clock.advance(1_000);
    provider = await readyProvider(purvey, gone.url, { categories: [category] });
    rfqIds.push(await openRfq(purvey, buyer, { category }));
  }
});
afterAll(async () => {
  await purvey.close();
  await gone.close();
});

describe('listing dead letters', () => {
  test('tells the operator what failed for good, newest first, with all that a replay needs', async () => {
    const reply = await purvey.call('GET', path, { as: 'operator' });
    expect(reply.status).toBe(200);
    expect(reply.body.next_cursor).toBeNull();
    expect(
      reply.body.dead_letters.map(
        ({ correlation_id }: { correlation_id: string }) => correlation_id,
      ),
    ).toEqual(rfqIds.toReversed());
    expect(reply.body.dead_letters[0]).toMatchObject({
      dead_letter_id: expect.stringMatching(/^dl_/),
      status: 'OPEN',
      tenant_id: buyer.slug,
      campaign_id: rfqIds[1],
      provider_name: provider.id,
      capability: 'webhook_delivery',
      operation: 'rfq.published',
      attempts: 1,
      occurred_at: new Date(purvey.clock.nowMs()).toISOString(),
      replayed_at: null,
    });
    expectNothingLeaked(purvey, reply);
  });

  test('pages through them in order, each once', async () => {
    const whole = await ok(purvey.call('GET', path, { as: 'operator' }));
    expect(await pagedThrough(purvey, ['GET', path, { as: 'operator' }], 'dead_letters')).toEqual(
      whole.dead_letters,
    );
  });

  test('keeps to what fits every filter', async () => {
    const listed = async (query: string): Promise<string[]> => {
      const { dead_letters } = await ok(purvey.call('GET', `${path}?${query}`, { as: 'operator' }));
      return dead_letters.map(({ campaign_id }: { campaign_id: string }) => campaign_id);
    };
    const both = rfqIds.toReversed();
    const [, second = ''] = rfqIds;
    for (const [query, expected] of [
      ['status=OPEN', both],
      ['status=REPLAYED', []],
      [`tenant_id=${buyer.slug}`, both],
      ['tenant_id=somebody_else', []],
      [`status=OPEN&tenant_id=${buyer.slug}`, both],
      [`status=REPLAYED&tenant_id=${buyer.slug}`, []],
      ['task_name=deliver-rfq', both],
      ['task_name=run-provider-task', []],
      [`provider_name=${provider.id}`, [second]],
      ['reason_code=bad_request', both],
      ['reason_code=timeout', []],
      [
        `status=OPEN&tenant_id=${buyer.slug}&task_name=deliver-rfq&provider_name=${provider.id}&reason_code=bad_request`,
        [second],
      ],
    ] as const)
      expect(await listed(query), query).toEqual(expected);
  });

  test('pages through what is filtered', async () => {
    const call = ['GET', `${path}?status=OPEN`, { as: 'operator' }] as const;
    const whole = await ok(purvey.call(...call));
    expect(whole.dead_letters).toHaveLength(2);
    expect(await pagedThrough(purvey, call, 'dead_letters')).toEqual(whole.dead_letters);
  });

  refusesQueries(
    () => purvey,
    () => ['GET', path, { as: 'operator' }],
    [
      ...badPages,
      ['status=open', 'status', 'must be OPEN or REPLAYED'],
      ['tenant_id=', 'tenant_id', 'must not be empty'],
      ['tenant_id=a&tenant_id=b', 'tenant_id', /string/],
      [`task_name=${'a'.repeat(257)}`, 'task_name', /256/],
    ],
  );
});
