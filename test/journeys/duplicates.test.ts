import { afterAll, beforeAll, describe, expect, test } from 'vitest';

import { type AuditPage, verifyChain } from '../../shared/eligibility/audit.ts';
import {
  type Reply,
  type TestPurvey,
  readyBuyer,
  startAgent,
  startTestPurvey,
} from '../support/purvey.ts';
import {
  about,
  callTask,
  openRfq,
  passRelay,
  readDecisions,
  readRfq,
  storedPages,
  webhookIds,
  withFault,
} from './support.ts';
import { seedProviders } from './seed.ts';

/** More than two pages of 300, every twentieth of them eligible. */
const PROVIDERS = 610;
const isEligible = (index: number): boolean => index % 20 === 0;
const category = 'bulk.work';

let purvey: TestPurvey;
let agent: Awaited<ReturnType<typeof startAgent>>;
let buyer: { key: string };
let providers: string[];

beforeAll(async () => {
  purvey = await startTestPurvey();
  agent = await startAgent();
  buyer = await readyBuyer(purvey);
  providers = await seedProviders(purvey, PROVIDERS, {
    category,
    webhookUrl: agent.url,
    isEligible,
  });
});
afterAll(async () => {
  await purvey.close();
  await agent.close();
});

const eligible = (): string[] => providers.filter((_, index) => isEligible(index));

const toldOf = (rfqId: string): string[] =>
  about(agent.received, rfqId)
    .map(({ path }) => path.slice(1))
    .toSorted();

/** The RFQ is planned and told as if nothing had happened. */
async function expectUndisturbed(rfqId: string): Promise<readonly AuditPage[]> {
  const rfq = await readRfq(purvey, buyer, rfqId);
  const pages = await storedPages(purvey, rfqId);
  expect(pages.map(({ decisions }) => decisions.length)).toEqual([300, 300, 10]);
  expect(verifyChain(pages)).toEqual({ intact: true, root: rfq.audit_root });
  expect(toldOf(rfqId)).toEqual(eligible());
  expect(rfq.counts).toEqual({ matched: 610, eligible: 31, delivered: 31, failed: 0, pending: 0 });
  return pages;
}

describe('an RFQ that matches more than 300 providers', () => {
  let rfq: Reply['body'];

  beforeAll(async () => {
    const deadline = new Date(purvey.clock.nowMs() + 5 * 3_600_000).toISOString();
    rfq = await openRfq(purvey, buyer, { category, bid_deadline: deadline });
    await purvey.settle();
  });

  test('is planned over chained pages and tells every eligible one of them once', async () => {
    const pages = await expectUndisturbed(rfq.rfq_id);
    expect(pages.map(({ previous_hash }) => previous_hash)).toEqual([
      null,
      ...pages.slice(0, -1).map(({ hash }) => hash),
    ]);
    expect(pages.map(({ last }) => last)).toEqual([false, false, true]);
    expect(webhookIds(about(agent.received, rfq.rfq_id))).toHaveLength(31);
  });

  test('lists every decision, in pages of its own', async () => {
    const decisions = await readDecisions(purvey, buyer, rfq.rfq_id);
    expect(decisions.map(({ provider_id }) => provider_id)).toEqual(providers);
    expect(decisions.filter((each) => each.eligible).map((each) => each.provider_id)).toEqual(
      eligible(),
    );
  });

  test('is not planned again by tasks that come twice and in another order', async () => {
    const before = await storedPages(purvey, rfq.rfq_id);
    for (const page of [2, 0, 1, 1])
      expect((await callTask(purvey, 'plan-rfq', { rfq_id: rfq.rfq_id, page })).status).toBe(200);
    await purvey.settle();
    expect(await expectUndisturbed(rfq.rfq_id)).toEqual(before);
  });

  test('is not told again by a delivery that comes twice', async () => {
    for (const taskName of ['first-name', 'other-name', 'other-name']) {
      const { status } = await callTask(
        purvey,
        'deliver-rfq',
        {
          rfq_id: rfq.rfq_id,
          provider_id: 'prov_0000000000000000',
          subscription_id: 'sub_0000000000000000',
          n: 0,
        },
        taskName,
      );
      expect(status).toBe(200);
    }
    await expectUndisturbed(rfq.rfq_id);
  });

  test('is not told again when the names of its tasks are free again', async () => {
    const before = agent.received.length;
    await purvey.clock.advance(2 * 3_600_000);
    await purvey.settle();
    for (const page of [0, 1, 2])
      await callTask(purvey, 'plan-rfq', { rfq_id: rfq.rfq_id, page }, `again-${page}`);
    await purvey.settle();
    expect(agent.received).toHaveLength(before);
    await expectUndisturbed(rfq.rfq_id);
  });
});

describe('tasks of pages that come before their time', () => {
  test('are refused until the page before is stored, and leave nothing behind', async () => {
    const isFirstPage = (request: unknown): boolean => {
      const { body } = (request as { task: { httpRequest: { body: Uint8Array } } }).task
        .httpRequest;
      return Buffer.from(body).includes('"page":0}');
    };
    // The first page's task is left to the relay, so that these here come before it.
    const { rfq_id } = await withFault(
      purvey,
      {
        rpc: 'CreateTask',
        when: isFirstPage,
        times: 10,
        action: { kind: 'fail', code: 'UNAVAILABLE' },
      },
      () => openRfq(purvey, buyer, { category }),
    );
    for (const page of [2, 1]) {
      const { status } = await callTask(purvey, 'plan-rfq', { rfq_id, page });
      expect(status).toBe(500);
    }
    expect(await storedPages(purvey, rfq_id)).toEqual([]);
    expect(toldOf(rfq_id)).toEqual([]);

    const both = await Promise.all(
      ['one', 'two'].map((name) => callTask(purvey, 'plan-rfq', { rfq_id, page: 0 }, name)),
    );
    expect(both.map(({ status }) => status)).toEqual([200, 200]);
    await passRelay(purvey);
    await expectUndisturbed(rfq_id);
  });
});
