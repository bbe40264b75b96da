import { afterAll, beforeAll, describe, expect, test } from 'vitest';

import {
  type Received,
  type TestPurvey,
  readyBuyer,
  readyProvider,
  startAgent,
  startTestPurvey,
} from '../support/purvey.ts';
import {
  about,
  nextCrash,
  openRfq,
  passRelay,
  readRfq,
  restartAfterCrash,
  storedIn,
  storedRfqs,
  textOf,
  webhookIds,
  ignoreTheDead,
} from './support.ts';

let purvey: TestPurvey;
let buyer: { key: string };

beforeAll(async () => {
  ignoreTheDead();
  purvey = await startTestPurvey();
  buyer = await readyBuyer(purvey);
});
afterAll(() => purvey.close());

/** A provider with a webhook of its own, which answers what `answer` says. */
async function providerAnswering(category: string, answer: (received: Received) => number) {
  const agent = await startAgent(answer);
  const provider = await readyProvider(purvey, agent.url, { categories: [category] });
  return { ...agent, provider };
}

/**
 * Opens an RFQ and lets the process die after `n` of the RPCs that follow the first webhook, then
 * starts it again and lets time pass.
 *
 * @returns null when everything was done after fewer RPCs
 */
async function playWithCrashAfter(n: number, category: string, received: readonly Received[]) {
  const heard = received.length;
  // A dead process takes leased permits with it: each registration gets a window of its own.
  await purvey.clock.advance(3_600_000);
  const crash = nextCrash(purvey);
  purvey.cloud.faults.inject({
    rpc: '*',
    when: () => received.length > heard,
    after: n,
    action: { kind: 'crash' },
  });
  const description = `${category}, crash after ${n}`;
  const opened = openRfq(purvey, buyer, { category, description }).catch(() => undefined);
  const end = await Promise.race([
    crash.then(() => 'crashed'),
    (async () => {
      await opened;
      await purvey.settle();
      await purvey.clock.advance(5_000);
      await purvey.settle();
      return 'done';
    })(),
  ]);
  if (end === 'done') {
    purvey.cloud.faults.clear();
    return null;
  }
  const rfqId = storedRfqs(purvey, description)[0]?.id ?? '';
  await restartAfterCrash(purvey);
  await passRelay(purvey);
  return { rfqId, told: about(received, rfqId) };
}

describe('a crash after any RPC that follows a first webhook', () => {
  test('which failed: it is tried again until it arrives, and counts once', async () => {
    const tries = new Map<string, number>();
    const { received, close } = await providerAnswering('flaky', ({ body }) => {
      const { rfq_id } = JSON.parse(body).data;
      tries.set(rfq_id, (tries.get(rfq_id) ?? 0) + 1);
      return tries.get(rfq_id) === 1 ? 500 : 200;
    });
    let n = 0;
    for (; ; n++) {
      const played = await playWithCrashAfter(n, 'flaky', received);
      if (!played) break;
      const { rfqId, told } = played;
      const at = `crash after RPC ${n}`;
      // The attempt that the crash kept from being recorded, if there was one, is made again.
      expect([2, 3], at).toContain(told.length);
      expect(webhookIds(told), at).toHaveLength(1);
      const counts = { eligible: 1, delivered: 1, failed: 0, pending: 0 };
      expect((await readRfq(purvey, buyer, rfqId)).counts, at).toMatchObject(counts);
      expect(purvey.cloud.tasks.tasks(), at).toHaveLength(0);
    }
    expect(n).toBeGreaterThan(3);
    await close();
  }, 120_000);

  test('which was answered 410: the subscription is disabled, and there is one dead letter', async () => {
    let n = 0;
    for (; ; n++) {
      const { provider, received, close } = await providerAnswering(`gone-${n}`, () => 410);
      const played = await playWithCrashAfter(n, `gone-${n}`, received);
      if (!played) break;
      const { rfqId, told } = played;
      const at = `crash after RPC ${n}`;
      expect(webhookIds(told), at).toHaveLength(1);
      const counts = { eligible: 1, delivered: 0, failed: 1, pending: 0 };
      expect((await readRfq(purvey, buyer, rfqId)).counts, at).toMatchObject(counts);
      const [subscription] = storedIn(purvey, 'subscriptions').filter(
        ({ id }) => id === provider.subscriptionId,
      );
      expect(subscription && textOf(subscription, 'status'), at).toBe('DISABLED');
      const letters = storedIn(purvey, 'dead_letters').filter(
        (each) => textOf(each, 'correlation_id') === rfqId,
      );
      expect(letters, at).toHaveLength(1);
      await close();
    }
    expect(n).toBeGreaterThan(3);
  }, 120_000);
});
