import { afterAll, beforeAll, describe, expect, test } from 'vitest';

import { salvaged } from '../../../shared/dead-letters/salvage.ts';
import { type DeadLetter, deadLetters } from '../../../shared/dead-letters/schema.ts';
import { newTaskExecution, taskExecutions } from '../../../shared/execution/task-execution.ts';
import { deliveryRef } from '../../../shared/rfqs/delivery.ts';
import { rfqs } from '../../../shared/rfqs/schema.ts';
import { ref } from '../../../shared/store/collection.ts';
import { subscriptions } from '../../../shared/subscriptions/schema.ts';
import {
  type ReadyProvider,
  type Reply,
  type TestPurvey,
  readyBuyer,
  readyProvider,
  startAgent,
  startTestPurvey,
} from '../../support/purvey.ts';
import {
  absentId,
  changeStored,
  changesNothing,
  expectNothingLeaked,
  isoAfter,
  ok,
  openRfq,
  refused,
  statusesOf,
} from '../support.ts';

const pathOf = (letterId: string): string => `/api/v1/dead-letters/${letterId}/replay`;

let purvey: TestPurvey;
let buyer: { slug: string; key: string };
/** Answers 500 unless told otherwise. */
let answer: number;
let agent: Awaited<ReturnType<typeof startAgent>>;

beforeAll(async () => {
  purvey = await startTestPurvey();
  buyer = await readyBuyer(purvey);
  agent = await startAgent(() => answer);
});
afterAll(async () => {
  await purvey.close();
  await agent.close();
});

const replay = (letterId: string, headers: Record<string, string> = {}): Promise<Reply> =>
  purvey.call('POST', pathOf(letterId), { as: 'operator', headers });

const lettersOf = async (rfqId: string): Promise<DeadLetter[]> => {
  const { docs } = await purvey.services.store.query({ collection: deadLetters, limit: 100 });
  return docs.filter(({ campaign_id }) => campaign_id === rfqId);
};

interface FailedDelivery {
  readonly provider: ReadyProvider;
  readonly rfqId: string;
  readonly letterId: string;
}

let categories = 0;
/** A delivery that has failed for good, because no other attempt fitted in before the bid deadline. */
async function failedDelivery(): Promise<FailedDelivery> {
  const category = `work-${++categories}`;
  answer = 500;
  const provider = await readyProvider(purvey, agent.url, { categories: [category] });
  const rfqId = await openRfq(purvey, buyer, { category, bid_deadline: isoAfter(purvey, 5_000) });
  const [letter] = await lettersOf(rfqId);
  if (!letter) throw new Error('the delivery has not failed');
  return { provider, rfqId, letterId: letter.dead_letter_id };
}

const storedDelivery = ({ rfqId, provider }: FailedDelivery) =>
  purvey.services.store.get(deliveryRef({ rfq_id: rfqId, provider_id: provider.id }));

const counted = async (rfqId: string) =>
  (await purvey.call('GET', `/v1/rfqs/${rfqId}`, { as: { org: buyer.key } })).body.counts;

describe('replaying a failed delivery', () => {
  test('delivers it, marks the letter and answers when; again, it answers the same and does nothing', async () => {
    const failed = await failedDelivery();
    const heard = agent.received.length;
    answer = 200;
    await purvey.clock.advance(1_000);
    const replayed_at = isoAfter(purvey, 0);
    const first = await replay(failed.letterId);
    expect(first).toMatchObject({
      status: 200,
      body: {
        dead_letter_id: failed.letterId,
        status: 'REPLAYED',
        replayed_at,
        replayed: 'deliver-rfq',
      },
    });
    expectNothingLeaked(purvey, first);
    await purvey.settle();

    expect(agent.received.length).toBe(heard + 1);
    expect(await counted(failed.rfqId)).toMatchObject({ delivered: 1, failed: 0, pending: 0 });
    expect(await lettersOf(failed.rfqId)).toMatchObject([{ status: 'REPLAYED', replayed_at }]);
    await purvey.clock.advance(60_000);
    const again = await changesNothing(purvey, () => replay(failed.letterId));
    expect(again).toMatchObject({ status: 200, body: first.body });
    expect(agent.received.length).toBe(heard + 1);
  });

  test('that fails again leaves a second letter, which can be replayed in its turn', async () => {
    const failed = await failedDelivery();
    // The clock stands still, so the second failure has the very time of the first.
    await replay(failed.letterId);
    await purvey.settle();
    const letters = await lettersOf(failed.rfqId);
    expect(letters.map(({ status }) => status).toSorted()).toEqual(['OPEN', 'REPLAYED']);
    expect(await storedDelivery(failed)).toMatchObject({
      attempts: 2,
      attempts_at_reopening: 1,
      progress: { state: 'failed' },
    });
    answer = 200;
    const second = letters.find(({ status }) => status === 'OPEN');
    expect(await replay(second?.dead_letter_id ?? '')).toMatchObject({ status: 200 });
    await purvey.settle();
    expect(await counted(failed.rfqId)).toMatchObject({ delivered: 1, failed: 0 });
  });

  test('by two operators at once calls the webhook once, and both have the same answer', async () => {
    const failed = await failedDelivery();
    const heard = agent.received.length;
    answer = 200;
    const replies = await Promise.all([1, 2, 3].map(() => replay(failed.letterId)));
    await purvey.settle();
    expect(statusesOf(replies)).toEqual([200, 200, 200]);
    expect(new Set(replies.map(({ body }) => JSON.stringify(body))).size).toBe(1);
    expect(agent.received.length).toBe(heard + 1);
  });

  test('costs five reads, four writes and a delete, whatever its webhook then costs', async () => {
    const { letterId } = await failedDelivery();
    answer = 200;
    purvey.cloud.faults.injectDelivery({ delivery: 'task', action: { kind: 'delay', ms: 1_000 } });
    const { result, usage } = await purvey.cloud.meter.measure(() => replay(letterId));
    expect(result.status).toBe(200);
    expect(usage).toMatchObject({ reads: 5, writes: 4, deletes: 1 });
    const again = await purvey.cloud.meter.measure(() => replay(letterId));
    expect(again.usage).toMatchObject({ reads: 1, writes: 0, deletes: 0 });
    await purvey.clock.advance(1_000);
    await purvey.settle();
  });

  test('under an Idempotency-Key answers a repeat as the first', async () => {
    const failed = await failedDelivery();
    answer = 200;
    const headers = { 'idempotency-key': 'replay-it' };
    const first = await replay(failed.letterId, headers);
    await purvey.settle();
    expect(await changesNothing(purvey, () => replay(failed.letterId, headers))).toMatchObject({
      status: first.status,
      body: first.body,
    });
    const another = await failedDelivery();
    expect(
      await refused(purvey, ['POST', pathOf(another.letterId), { as: 'operator', headers }]),
    ).toMatchObject({ code: 'idempotency_mismatch' });
  });

  test.each<
    [string, (failed: FailedDelivery) => Promise<unknown>, 'conflict' | 'rfq_closed', RegExp]
  >([
    [
      'was awarded meanwhile',
      ({ rfqId }) => changeStored(purvey, ref(rfqs, rfqId), () => ({ status: 'AWARDED' as const })),
      'rfq_closed',
      /AWARDED/,
    ],
    [
      'has passed its bid deadline',
      () => purvey.clock.advance(5_000),
      'rfq_closed',
      /bid deadline was/,
    ],
    [
      'was told to a subscription that has ended',
      ({ provider }) =>
        changeStored(purvey, ref(subscriptions, provider.subscriptionId), () => ({
          status: 'CANCELLED' as const,
        })),
      'conflict',
      /subscription .*ended/,
    ],
    [
      'was delivered meanwhile',
      ({ rfqId, provider }) =>
        changeStored(purvey, deliveryRef({ rfq_id: rfqId, provider_id: provider.id }), () => ({
          progress: {
            state: 'delivered' as const,
            delivered_at: isoAfter(purvey, 0),
            http_status: 200,
          },
        })),
      'conflict',
      /delivered on/,
    ],
  ])('is refused with 409 where it %s, and the letter stays open', async (_, change, code, why) => {
    const failed = await failedDelivery();
    await change(failed);
    expect(
      await refused(purvey, ['POST', pathOf(failed.letterId), { as: 'operator' }]),
    ).toMatchObject({ code, message: expect.stringMatching(why) });
    expect(await lettersOf(failed.rfqId)).toMatchObject([{ status: 'OPEN', replayed_at: null }]);
  });

  test('is refused after a 410, which has disabled the subscription', async () => {
    answer = 410;
    const category = `work-${++categories}`;
    await readyProvider(purvey, agent.url, { categories: [category] });
    const rfqId = await openRfq(purvey, buyer, { category });
    const [letter] = await lettersOf(rfqId);
    expect(
      await refused(purvey, ['POST', pathOf(letter?.dead_letter_id ?? ''), { as: 'operator' }]),
    ).toMatchObject({ code: 'conflict', message: expect.stringMatching(/ended/) });
  });
});

describe('replaying a provider task', () => {
  const work = {
    tenant_id: 'acme',
    provider_name: 'synthetic',
    capability: 'synthetic_call',
    operation: 'prove',
  };
  const failing = { mode: 'fail', reason: 'bad_request' };

  const start = async (idempotency_key: string): Promise<string> => {
    const { task_execution_id } = await ok(
      purvey.call('POST', '/internal/v1/provider-tasks', {
        as: 'operator',
        body: { ...work, payload: failing, idempotency_key },
      }),
    );
    await purvey.settle();
    return task_execution_id;
  };
  const stored = (id: string) => purvey.services.store.get(ref(taskExecutions, id));
  const lettersOfKey = async (key: string) => {
    const { docs } = await purvey.services.store.query({ collection: deadLetters, limit: 100 });
    return docs.filter(({ idempotency_key }) => idempotency_key === key);
  };

  test('runs it again with all its attempts, and marks the letter', async () => {
    const id = await start('mended');
    const [letter] = await lettersOfKey('mended');
    expect(await stored(id)).toMatchObject({ state: 'FAILED', attempts: 1 });
    // What it asks for is mended meanwhile.
    const { payload, payload_hash } = newTaskExecution(
      'run-provider-task',
      { ...work, payload: { mode: 'succeed' } },
      purvey.services.now(),
    );
    await changeStored(purvey, ref(taskExecutions, id), () => ({ payload, payload_hash }));
    expect(await replay(letter?.dead_letter_id ?? '')).toMatchObject({
      status: 200,
      body: { status: 'REPLAYED', replayed: 'run-provider-task' },
    });
    await purvey.settle();
    expect(await stored(id)).toMatchObject({ state: 'SUCCEEDED', attempts: 1 });
    expect(await lettersOfKey('mended')).toMatchObject([{ status: 'REPLAYED' }]);
  });

  test('that fails again leaves a second letter, however often the first was replayed', async () => {
    const id = await start('unmended');
    const [letter] = await lettersOfKey('unmended');
    const replies = await Promise.all([1, 2].map(() => replay(letter?.dead_letter_id ?? '')));
    await purvey.settle();
    expect(statusesOf(replies)).toEqual([200, 200]);
    const letters = await lettersOfKey('unmended');
    expect(letters.map(({ status }) => status).toSorted()).toEqual(['OPEN', 'REPLAYED']);
    expect(await stored(id)).toMatchObject({ state: 'FAILED', fence: 2 });
  });

  test('that has succeeded meanwhile is refused with 409, and the letter stays open', async () => {
    const id = await start('overtaken');
    const [letter] = await lettersOfKey('overtaken');
    await changeStored(purvey, ref(taskExecutions, id), () => ({ state: 'SUCCEEDED' as const }));
    const { status, body } = await changesNothing(purvey, () =>
      replay(letter?.dead_letter_id ?? ''),
    );
    expect([status, body.error.code]).toEqual([409, 'conflict']);
    expect(await lettersOfKey('overtaken')).toMatchObject([{ status: 'OPEN' }]);
  });
});

let messages = 0;
/** A message given up by a subscription, as `record-dead-letter` keeps it. */
async function keepMessage(
  text: string,
  attributes: Record<string, string> = {
    CloudPubSubDeadLetterSourceSubscription: 'record-dead-letter',
  },
): Promise<DeadLetter> {
  const id = `m${++messages}`;
  const letter = salvaged(
    { id, attributes: { kind: 'test', ...attributes }, text },
    purvey.services.now(),
  );
  await purvey.services.store.append(ref(deadLetters, letter.dead_letter_id), letter);
  return letter;
}

/** What our one subscriber understands: another dead letter, which it will keep. */
const aRecordedLetter = (id: string): string =>
  JSON.stringify({
    dead_letter_id: id,
    tenant_id: 'acme',
    campaign_id: null,
    task_name: 'deliver-rfq',
    provider_name: 'prov_1',
    capability: 'webhook_delivery',
    operation: 'rfq.published',
    idempotency_key: 'k',
    correlation_id: 'c',
    reason_code: 'timeout',
    error_type: 'DeliveryFailed',
    error_message: 'no answer',
    attempts: 1,
    occurred_at: '2026-03-01T12:00:00.000Z',
    replay: { function: 'deliver-rfq', payload: {} },
    event_type: 'dead_letter.recorded',
  });

const published = () => purvey.cloud.meter.read().messages;

describe('replaying a message that nobody could handle', () => {
  test('publishes it to its topic, where its subscription takes it, and marks the letter', async () => {
    const { dead_letter_id } = await keepMessage(aRecordedLetter('dl_kept'));
    const seen: unknown[] = [];
    purvey.cloud.faults.inject({
      rpc: 'Publish',
      when: (request) => seen.push(request) === 0,
      action: { kind: 'hang' },
    });
    expect(await replay(dead_letter_id)).toMatchObject({
      status: 200,
      body: { dead_letter_id, status: 'REPLAYED', replayed: 'record-dead-letter' },
    });
    purvey.cloud.faults.clear();
    await purvey.settle();
    expect(seen).toMatchObject([
      {
        topic: 'projects/purvey-local/topics/purvey-deadletter',
        messages: [{ attributes: { kind: 'test' } }],
      },
    ]);
    expect(JSON.stringify(seen)).not.toContain('CloudPubSubDeadLetter');
    const { store } = purvey.services;
    expect(await store.get(ref(deadLetters, 'dl_kept'))).toMatchObject({ status: 'OPEN' });
    expect(await store.get(ref(deadLetters, dead_letter_id))).toMatchObject({ status: 'REPLAYED' });
  });

  test('by two operators at once publishes it once', async () => {
    const { dead_letter_id } = await keepMessage(aRecordedLetter('dl_twice'));
    const before = published();
    const replies = await Promise.all([1, 2].map(() => replay(dead_letter_id)));
    expect(published()).toBe(before + 1);
    // The later one waits for the earlier one's answer, or has it.
    const late = replies.filter(({ status }) => status !== 200);
    expect(late.length).toBeLessThan(2);
    for (const { status, headers, body } of late) {
      expect([status, body.error.code]).toEqual([409, 'request_in_progress']);
      expect(body.error.message).not.toContain('Idempotency-Key');
      expect(Number(headers.get('retry-after'))).toBeGreaterThan(0);
    }
    expect((await changesNothing(purvey, () => replay(dead_letter_id))).status).toBe(200);
  });

  test('whose topic cannot be reached is refused with 503 and can be tried again', async () => {
    const { dead_letter_id } = await keepMessage(aRecordedLetter('dl_later'));
    purvey.cloud.faults.inject({
      rpc: 'Publish',
      times: Infinity,
      action: { kind: 'fail', code: 'PERMISSION_DENIED', message: 'the inner workings' },
    });
    const reply = await replay(dead_letter_id);
    purvey.cloud.faults.clear();
    expect(reply).toMatchObject({ status: 503, body: { error: { code: 'unavailable' } } });
    expect(JSON.stringify(reply.body)).not.toContain('inner');
    expect(await replay(dead_letter_id)).toMatchObject({ status: 200 });
  });

  test.each([
    ['no JSON', 'what is this?', undefined, /no JSON object/],
    [
      'of no subscription that we have',
      '{}',
      { CloudPubSubDeadLetterSourceSubscription: 'old-one' },
      /old-one/,
    ],
    ['of nobody knows which subscription', '{}', {}, /unknown/],
  ])('is refused with 409 when it is %s', async (_, text, attributes, why) => {
    const { dead_letter_id } = await keepMessage(text, attributes);
    expect(
      await refused(purvey, ['POST', pathOf(dead_letter_id), { as: 'operator' }]),
    ).toMatchObject({ code: 'conflict', message: expect.stringMatching(why) });
  });
});

describe('replaying', () => {
  test('what no function is known for is refused with 409 that names it', async () => {
    const letter = await keepMessage('{}');
    await changeStored(purvey, ref(deadLetters, letter.dead_letter_id), () => ({
      replay: { function: 'compute-weather', payload: {} },
    }));
    expect(
      await refused(purvey, ['POST', pathOf(letter.dead_letter_id), { as: 'operator' }]),
    ).toMatchObject({ code: 'conflict', message: expect.stringContaining('compute-weather') });
  });

  test('an id that nothing has is refused with 404', async () => {
    expect(
      await refused(purvey, ['POST', pathOf(absentId('dl')), { as: 'operator' }]),
    ).toMatchObject({ code: 'not_found' });
  });
});
