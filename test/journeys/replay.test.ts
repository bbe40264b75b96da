import { afterAll, beforeAll, describe, expect, test } from 'vitest';

import { type DeadLetter, deadLetters } from '../../shared/dead-letters/schema.ts';
import { rfqs } from '../../shared/rfqs/schema.ts';
import { ref } from '../../shared/store/collection.ts';
import { changeStored } from '../functions/support.ts';
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
  callTask,
  clockAtPresent,
  ignoreTheDead,
  nextCrash,
  openRfq,
  passRelay,
  readRfq,
  restartAfterCrash,
  secondsAfter,
  verifiedWebhook,
  webhookIds,
} from './support.ts';

let purvey: TestPurvey;
let buyer: { key: string };

beforeAll(async () => {
  ignoreTheDead();
  purvey = await startTestPurvey({ clock: clockAtPresent() });
  buyer = await readyBuyer(purvey);
});
afterAll(() => purvey.close());

/** A provider with a webhook of its own, which answers what `answer` says. */
async function providerAnswering(category: string, answer: (received: Received) => number) {
  const agent = await startAgent(answer);
  const provider = await readyProvider(purvey, agent.url, { categories: [category] });
  return { ...agent, provider };
}

/** Opens an RFQ that leaves no time for a second attempt within its first `seconds`. */
async function openBrief(category: string, seconds: number): Promise<string> {
  const bid_deadline = new Date(purvey.clock.nowMs() + seconds * 1_000).toISOString();
  const { rfq_id } = await openRfq(purvey, buyer, { category, bid_deadline });
  await purvey.settle();
  return rfq_id;
}

/** Moves the clock second by second, so that whatever is due happens at its time. */
async function pass(seconds: number): Promise<void> {
  for (let second = 0; second < seconds; second++) {
    await purvey.settle();
    await purvey.clock.advance(1_000);
  }
  await purvey.settle();
}

const lettersOf = async (rfqId: string, status?: DeadLetter['status']): Promise<DeadLetter[]> => {
  const { docs } = await purvey.services.store.query({ collection: deadLetters, limit: 100 });
  return docs.filter(
    (letter) => letter.campaign_id === rfqId && (!status || letter.status === status),
  );
};

const openLetterOf = async (rfqId: string): Promise<DeadLetter> => {
  const [letter, ...more] = await lettersOf(rfqId, 'OPEN');
  if (!letter || more.length > 0) throw new Error(`${rfqId} has not exactly one open dead letter`);
  return letter;
};

const replay = ({ dead_letter_id }: DeadLetter, headers: Record<string, string> = {}) =>
  purvey.call('POST', `/api/v1/dead-letters/${dead_letter_id}/replay`, { as: 'operator', headers });

const countsOf = async (rfqId: string) => (await readRfq(purvey, buyer, rfqId)).counts;

describe('a webhook that fails until its maker mends it', () => {
  test('is told at last, by a replay: under the same webhook-id, and with the pauses of a new delivery', async () => {
    let answer = 500;
    const { provider, received, close } = await providerAnswering('mended', () => answer);
    const openedMs = purvey.clock.nowMs();
    const rfqId = await openBrief('mended', 30);
    await pass(20);
    // After 15 s the next one would have been due at 35 s: after the deadline.
    expect(secondsAfter(openedMs, received)).toEqual([0, 5, 15]);
    const first = await openLetterOf(rfqId);

    expect(await replay(first)).toMatchObject({ status: 200 });
    await pass(4);
    expect(secondsAfter(openedMs, received).slice(3)).toEqual([20]);
    answer = 204;
    await pass(6);
    expect(secondsAfter(openedMs, received).slice(3)).toEqual([20, 25]);

    expect(webhookIds(received)).toHaveLength(1);
    for (const each of received)
      expect(verifiedWebhook(each, provider.webhookSecret).data).toMatchObject({ rfq_id: rfqId });
    expect(await countsOf(rfqId)).toEqual({
      matched: 1,
      eligible: 1,
      delivered: 1,
      failed: 0,
      pending: 0,
    });
    expect(await lettersOf(rfqId)).toMatchObject([{ status: 'REPLAYED', attempts: 3 }]);
    await close();
  });

  test('leaves another dead letter when it has not been mended, and can be replayed again', async () => {
    let answer = 500;
    const { received, close } = await providerAnswering('unmended', () => answer);
    const rfqId = await openBrief('unmended', 9);
    await pass(6);
    await replay(await openLetterOf(rfqId));
    await pass(1);
    const letters = await lettersOf(rfqId);
    expect(letters.map(({ status, attempts }) => `${status} after ${attempts}`).toSorted()).toEqual(
      ['OPEN after 3', 'REPLAYED after 2'],
    );
    expect(await countsOf(rfqId)).toMatchObject({ delivered: 0, failed: 1 });

    answer = 200;
    await replay(await openLetterOf(rfqId));
    await pass(1);
    expect(received).toHaveLength(4);
    expect(await countsOf(rfqId)).toMatchObject({ delivered: 1, failed: 0 });
    await close();
  });
});

describe('what comes twice', () => {
  test('the first task of a delivery, long after: it is not taken for the replayed attempt', async () => {
    let answer = 500;
    const { provider, received, close } = await providerAnswering('late', () => answer);
    const rfqId = await openBrief('late', 4);
    const letter = await openLetterOf(rfqId);
    purvey.cloud.faults.injectDelivery({ delivery: 'task', action: { kind: 'lose' } });
    await replay(letter);
    await purvey.settle();
    answer = 200;
    const payload = {
      rfq_id: rfqId,
      provider_id: provider.id,
      subscription_id: provider.subscriptionId,
    };
    for (const n of [0, 1]) await callTask(purvey, 'deliver-rfq', { ...payload, n });
    expect(received).toHaveLength(1);
    // Cloud Tasks repeats what was lost.
    await pass(2);
    expect(received).toHaveLength(2);
    expect(await countsOf(rfqId)).toMatchObject({ delivered: 1, failed: 0, pending: 0 });
    await close();
  });

  test.each([false, true])(
    'the task of the replay: its webhook may be called twice, and counts once (together: %s)',
    async (together) => {
      let answer = 500;
      const category = `twice-${together}`;
      const { received, close } = await providerAnswering(category, () => answer);
      const rfqId = await openBrief(category, 4);
      const letter = await openLetterOf(rfqId);
      purvey.cloud.faults.injectDelivery({
        delivery: 'task',
        action: { kind: 'duplicate', together },
      });
      answer = 200;
      await replay(letter);
      await pass(2);
      expect([2, 3]).toContain(received.length);
      expect(webhookIds(received)).toHaveLength(1);
      expect(await countsOf(rfqId)).toMatchObject({ delivered: 1, failed: 0, pending: 0 });
      expect(await lettersOf(rfqId)).toMatchObject([{ status: 'REPLAYED' }]);
      await close();
    },
  );
});

/**
 * Replays a failed delivery and lets the process die after `n` of the RPCs that follow, then starts it
 * again, repeats the replay as an operator would, and lets time pass.
 *
 * @returns null when everything was done after fewer RPCs
 */
async function playWithCrashAfter(n: number, kind: 'crash' | 'crash-before', category: string) {
  const rfqId = await openBrief(category, 4);
  // The relay needs minutes.
  const bid_deadline = new Date(purvey.clock.nowMs() + 3_600_000).toISOString();
  await changeStored(purvey, ref(rfqs, rfqId), () => ({ bid_deadline }));
  const letter = await openLetterOf(rfqId);
  const crash = nextCrash(purvey);
  purvey.cloud.faults.inject({ rpc: '*', after: n, action: { kind } });
  const headers = { 'idempotency-key': `${category}-${kind}-${n}` };
  const replayed = replay(letter, headers).catch(() => undefined);
  const end = await Promise.race([
    crash.then(() => 'crashed'),
    replayed.then(() => purvey.settle()).then(() => 'done'),
  ]);
  if (end === 'done') {
    purvey.cloud.faults.clear();
    return null;
  }
  await restartAfterCrash(purvey);
  // The key's lease belongs to the dead process for a minute.
  await passRelay(purvey);
  const again = await replay(letter, headers);
  await passRelay(purvey);
  return { rfqId, again };
}

describe('a crash at any RPC of a replay', () => {
  test.each(['crash', 'crash-before'] as const)(
    'is followed by one delivery once the replay is repeated, and the letter says so (%s)',
    async (kind) => {
      const tries = new Map<string, number>();
      const { received, close } = await providerAnswering(kind, ({ body }) => {
        const { rfq_id } = JSON.parse(body).data;
        tries.set(rfq_id, (tries.get(rfq_id) ?? 0) + 1);
        return tries.get(rfq_id) === 1 ? 500 : 200;
      });
      let n = 0;
      for (; ; n++) {
        const played = await playWithCrashAfter(n, kind, kind);
        if (!played) break;
        const { rfqId, again } = played;
        const at = `${kind} at RPC ${n}`;
        expect(again.status, at).toBe(200);
        expect(await lettersOf(rfqId), at).toMatchObject([
          { status: 'REPLAYED', replayed_at: again.body.replayed_at },
        ]);
        const told = about(received, rfqId);
        expect([2, 3], at).toContain(told.length);
        expect(webhookIds(told), at).toHaveLength(1);
        expect(await countsOf(rfqId), at).toMatchObject({ delivered: 1, failed: 0, pending: 0 });
      }
      expect(n).toBeGreaterThan(3);
      await close();
    },
    240_000,
  );
});
