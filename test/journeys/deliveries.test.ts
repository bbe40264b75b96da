import { afterAll, beforeAll, describe, expect, test } from 'vitest';

import {
  type Received,
  type Reply,
  type TestPurvey,
  readyBuyer,
  readyProvider,
  startAgent,
  startTestPurvey,
} from '../support/purvey.ts';
import {
  about,
  clockAtPresent,
  openRfq,
  readRfq,
  secondsAfter,
  verifiedWebhook,
  webhookIds,
} from './support.ts';

let purvey: TestPurvey;
let buyer: { key: string };

beforeAll(async () => {
  purvey = await startTestPurvey({ clock: clockAtPresent() });
  buyer = await readyBuyer(purvey);
});
afterAll(() => purvey.close());

/** A provider with a webhook of its own, the only one that subscribes to `category`. */
async function providerAnswering(
  category: string,
  answer: (request: Received, nth: number) => number | 'hang',
) {
  const agent = await startAgent(answer);
  const provider = await readyProvider(purvey, agent.url, { categories: [category] });
  return { ...agent, provider };
}

/** Moves the clock second by second, so that whatever is due happens at its time. */
async function pass(seconds: number): Promise<void> {
  for (let second = 0; second < seconds; second++) {
    await purvey.settle();
    await purvey.clock.advance(1_000);
  }
  await purvey.settle();
}

const deadlineIn = (seconds: number): string =>
  new Date(purvey.clock.nowMs() + seconds * 1_000).toISOString();

const deadLettersOf = async (rfqId: string): Promise<Reply['body'][]> => {
  const { body } = await purvey.call('GET', '/api/v1/dead-letters?limit=100', { as: 'operator' });
  return body.dead_letters.filter((letter: Reply['body']) => letter.correlation_id === rfqId);
};

describe('a webhook that answers 500 twice and then 200', () => {
  test('is called at 0 s, 5 s and 15 s under one webhook-id, and delivered once', async () => {
    const { provider, received, close } = await providerAnswering('flaky', (_, nth) =>
      nth < 3 ? 500 : 200,
    );
    const openedMs = purvey.clock.nowMs();
    const { rfq_id } = await openRfq(purvey, buyer, { category: 'flaky' });
    await pass(4);
    expect(await readRfq(purvey, buyer, rfq_id)).toMatchObject({
      counts: { eligible: 1, delivered: 0, failed: 0, pending: 1 },
    });
    await pass(60);

    const told = about(received, rfq_id);
    expect(secondsAfter(openedMs, told)).toEqual([0, 5, 15]);
    expect(webhookIds(told)).toHaveLength(1);
    expect(new Set(told.map(({ body }) => body)).size).toBe(1);
    for (const each of told)
      expect(verifiedWebhook(each, provider.webhookSecret).data).toMatchObject({ rfq_id });
    expect(await readRfq(purvey, buyer, rfq_id)).toMatchObject({
      counts: { eligible: 1, delivered: 1, failed: 0, pending: 0 },
    });
    expect(await deadLettersOf(rfq_id)).toEqual([]);
    await close();
  });
});

describe('a webhook that always answers 500', () => {
  test('is not called after the bid deadline, and ends as one dead letter', async () => {
    const { provider, received, close } = await providerAnswering('broken', () => 500);
    const openedMs = purvey.clock.nowMs();
    const { rfq_id } = await openRfq(purvey, buyer, {
      category: 'broken',
      bid_deadline: deadlineIn(30),
    });
    await pass(120);

    expect(secondsAfter(openedMs, received)).toEqual([0, 5, 15]);
    expect(await readRfq(purvey, buyer, rfq_id)).toMatchObject({
      counts: { eligible: 1, delivered: 0, failed: 1, pending: 0 },
    });
    expect(await deadLettersOf(rfq_id)).toMatchObject([
      {
        provider_name: provider.id,
        capability: 'webhook_delivery',
        reason_code: 'dependency_unavailable',
        attempts: 3,
        status: 'OPEN',
      },
    ]);
    await close();
  });
});

describe('a webhook that never answers', () => {
  test('is given up at the bid deadline, and ends as one dead letter', async () => {
    const { received, close } = await providerAnswering('silent', () => 'hang');
    const { rfq_id } = await openRfq(purvey, buyer, {
      category: 'silent',
      bid_deadline: deadlineIn(4),
    });
    // The product gives it ten seconds of the machine's time; the next attempt would be too late.
    await purvey.settle();
    await pass(120);

    expect(about(received, rfq_id)).toHaveLength(1);
    expect(await readRfq(purvey, buyer, rfq_id)).toMatchObject({
      counts: { eligible: 1, delivered: 0, failed: 1, pending: 0 },
    });
    expect(await deadLettersOf(rfq_id)).toMatchObject([{ reason_code: 'timeout', attempts: 1 }]);
    await close();
  });
});

describe('a webhook that answers 410', () => {
  test('is never called again: its subscription is disabled', async () => {
    const { provider, received, close } = await providerAnswering('gone', () => 410);
    const first = await openRfq(purvey, buyer, { category: 'gone' });
    await pass(60);
    const second = await openRfq(purvey, buyer, { category: 'gone' });
    await pass(60);

    expect(received).toHaveLength(1);
    expect(await readRfq(purvey, buyer, first.rfq_id)).toMatchObject({
      counts: { eligible: 1, failed: 1 },
    });
    expect(await readRfq(purvey, buyer, second.rfq_id)).toMatchObject({
      counts: { matched: 0, eligible: 0 },
    });
    const { body } = await purvey.call('GET', `/v1/subscriptions/${provider.subscriptionId}`, {
      as: { provider: provider.key },
    });
    expect(body.status).toBe('DISABLED');
    await close();
  });
});

describe('one bad webhook', () => {
  test('keeps nobody else waiting', async () => {
    const bad = await providerAnswering('shared.*', () => 503);
    const good = await providerAnswering('shared.*', () => 200);
    const openedMs = purvey.clock.nowMs();
    const { rfq_id } = await openRfq(purvey, buyer, { category: 'shared.work' });
    await purvey.settle();
    expect(secondsAfter(openedMs, good.received)).toEqual([0]);
    expect(await readRfq(purvey, buyer, rfq_id)).toMatchObject({
      counts: { eligible: 2, delivered: 1, failed: 0, pending: 1 },
    });
    await bad.close();
    await good.close();
  });
});
