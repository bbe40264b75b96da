import { afterAll, beforeAll, describe, expect, test } from 'vitest';

import { rfqs } from '../../../shared/rfqs/schema.ts';
import { eligibilityPolicy } from '../../../shared/runtime/settings.ts';
import { ref } from '../../../shared/store/collection.ts';
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
  badPages,
  changeStored,
  expectNothingLeaked,
  ok,
  openRfq,
  pagedThrough,
  refused,
  refusesQueries,
} from '../support.ts';

let purvey: TestPurvey;
let agent: Awaited<ReturnType<typeof startAgent>>;
let buyer: { slug: string; key: string };
let other: { key: string };
let eligible: ReadyProvider;
let weak: ReadyProvider;
let nobody: ReadyProvider;
let rfqId: string;

const pathOf = (id: string) => `/v1/rfqs/${id}/decisions`;
const cursorOf = (...values: unknown[]) =>
  `cursor=${Buffer.from(JSON.stringify(values)).toString('base64url')}`;

beforeAll(async () => {
  purvey = await startTestPurvey();
  agent = await startAgent();
  buyer = await readyBuyer(purvey);
  other = await readyBuyer(purvey, 'other_buyer');
  eligible = await readyProvider(purvey, agent.url);
  weak = await readyProvider(purvey, agent.url, { score: 68, collateral: '150000000' });
  nobody = await readyProvider(purvey, agent.url, { verified: false });
  await readyProvider(purvey, agent.url, { categories: ['legal/*'] });
  rfqId = await openRfq(purvey, buyer);
});
afterAll(async () => {
  await purvey.close();
  await agent.close();
});

describe('listing the decisions about an RFQ', () => {
  test('explains every provider that matched, whatever its status, and seals them', async () => {
    const reply = await purvey.call('GET', pathOf(rfqId), { as: { org: buyer.key } });
    expect(reply.status).toBe(200);
    expect(Object.keys(reply.body).toSorted()).toEqual(['audit_root', 'decisions', 'next_cursor']);
    expect(reply.body.next_cursor).toBeNull();
    const made = {
      policy_version: eligibilityPolicy().policy_version,
      decided_at: new Date(purvey.clock.nowMs()).toISOString(),
    };
    const byId = (a: { provider_id: string }, b: { provider_id: string }) =>
      a.provider_id < b.provider_id ? -1 : 1;
    expect(reply.body.decisions).toEqual(
      [
        {
          provider_id: eligible.id,
          subscription_id: eligible.subscriptionId,
          eligible: true,
          reasons: [],
          score: 88.5,
          collateral: { amount: '250000000', currency: 'IRR' },
          ...made,
        },
        {
          provider_id: weak.id,
          subscription_id: weak.subscriptionId,
          eligible: false,
          reasons: ['score_below_threshold', 'insufficient_collateral'],
          score: 68,
          collateral: { amount: '150000000', currency: 'IRR' },
          ...made,
        },
        {
          provider_id: nobody.id,
          subscription_id: nobody.subscriptionId,
          eligible: false,
          reasons: ['provider_not_active'],
          score: 88.5,
          collateral: { amount: '250000000', currency: 'IRR' },
          ...made,
        },
      ].toSorted(byId),
    );
    const { audit_root } = await ok(
      purvey.call('GET', `/v1/rfqs/${rfqId}`, { as: { org: buyer.key } }),
    );
    expect(reply.body.audit_root).toBe(audit_root);
    expectNothingLeaked(purvey, reply);
  });

  test('pages through them one by one, each once and in order', async () => {
    const whole = await ok(purvey.call('GET', pathOf(rfqId), { as: 'operator' }));
    const listed = await pagedThrough(
      purvey,
      ['GET', pathOf(rfqId), { as: { org: buyer.key } }],
      'decisions',
    );
    expect(listed).toEqual(whole.decisions);
    const two = await ok(purvey.call('GET', `${pathOf(rfqId)}?limit=2`, { as: 'operator' }));
    expect(two.decisions).toEqual(whole.decisions.slice(0, 2));
    const rest = await ok(
      purvey.call('GET', `${pathOf(rfqId)}?limit=2&cursor=${two.next_cursor}`, { as: 'operator' }),
    );
    expect(rest).toMatchObject({ decisions: whole.decisions.slice(2), next_cursor: null });
    expect(rest.audit_root).toBe(whole.audit_root);
  });

  test('keeps what was decided, whatever happens later', async () => {
    const before = await ok(purvey.call('GET', pathOf(rfqId), { as: 'operator' }));
    await ok(
      purvey.call('POST', `/internal/v1/providers/${weak.id}/scores`, {
        as: 'operator',
        body: { score: 99, source: 'operator' },
      }),
    );
    expect(await ok(purvey.call('GET', pathOf(rfqId), { as: 'operator' }))).toEqual(before);
  });

  test('has a root without a provider, and none before all is decided', async () => {
    const lonely = await openRfq(purvey, buyer, { category: 'nobody.wants' });
    expect(await ok(purvey.call('GET', pathOf(lonely), { as: { org: buyer.key } }))).toEqual({
      decisions: [],
      audit_root: expect.any(String),
      next_cursor: null,
    });
    await changeStored(purvey, ref(rfqs, lonely), () => ({ plan: { state: 'planning' as const } }));
    const unfinished = await ok(purvey.call('GET', pathOf(lonely), { as: { org: buyer.key } }));
    expect(unfinished.audit_root).toBeNull();
  });

  test("answers another buyer's as for one that there is not", async () => {
    const as = { org: other.key };
    expect(
      await answeredAlike(
        purvey,
        ['GET', pathOf(rfqId), { as }],
        ['GET', pathOf(absentId('rfq')), { as }],
      ),
    ).toMatchObject({ code: 'not_found' });
  });

  test('is refused to providers, invited or not', async () => {
    expect(
      await refused(purvey, ['GET', pathOf(rfqId), { as: { provider: eligible.key } }]),
    ).toMatchObject({ code: 'forbidden' });
  });

  refusesQueries(
    () => purvey,
    () => ['GET', pathOf(rfqId), { as: { org: buyer.key } }],
    [
      ...badPages,
      [cursorOf('x', 'y'), 'cursor', /is not a cursor/],
      [cursorOf(-1, '0'), 'cursor', /is not a cursor/],
      [cursorOf(0, '-1'), 'cursor', /is not a cursor/],
      [cursorOf(0.5, '0'), 'cursor', /is not a cursor/],
      [cursorOf(1e300, '0'), 'cursor', /is not a cursor/],
    ],
  );
});
