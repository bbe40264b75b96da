import { afterAll, beforeAll, expect, it } from 'vitest';

import type { CloudSnapshot } from '../../../local/cloud.ts';
import { DISTURBANCES, everyFault } from '../../../local/kernel/every-fault.ts';
import { LOCATION, PROJECT, startTestCloud, type TestCloud } from '../support/cloud.ts';

const QUEUE = `${LOCATION}/queues/work`;
const TOPIC = `projects/${PROJECT}/topics/events`;
const SUBSCRIPTION = `projects/${PROJECT}/subscriptions/reader`;

let test: TestCloud;
let empty: CloudSnapshot;
beforeAll(async () => {
  test = await startTestCloud();
  await test.google.tasks.createQueue({ parent: LOCATION, queue: { name: QUEUE } });
  await test.google.tasks.pauseQueue({ name: QUEUE });
  await test.google.publisher.createTopic({ name: TOPIC });
  await test.google.subscriber.createSubscription({ name: SUBSCRIPTION, topic: TOPIC });
  empty = test.cloud.snapshot();
});
afterAll(() => test.stop());

// Google's clients would repeat the calls themselves, slowly.
const once = { retry: { retryCodes: [] } };
const open = async () => {
  await test.cloud.restore(empty);
  return { faults: test.cloud.faults };
};
const publish = () =>
  test.google.publisher.publish({ topic: TOPIC, messages: [{ data: Buffer.from('x') }] }, once);
const createTask = (name?: string) =>
  test.google.tasks.createTask(
    {
      parent: QUEUE,
      task: {
        ...(name && { name: `${QUEUE}/tasks/${name}` }),
        httpRequest: { url: test.target.url },
      },
    },
    once,
  );
const tasks = () => test.cloud.tasks.tasks().length;
const messages = () => test.cloud.pubsub.outstanding().length;

it('strikes every call of a scenario before and after it is applied, each time from the start', async () => {
  const seen: string[] = [];
  const { calls, trials } = await everyFault(
    async () => {
      await publish();
      await createTask();
    },
    {
      open,
      check: async (_, { label, end }) => {
        seen.push(`${label}: ${end}, ${messages()} published, ${tasks()} created`);
      },
    },
  );
  expect(calls).toBe(2);
  expect(trials).toHaveLength(2 * DISTURBANCES.length);
  expect(seen).toEqual([
    'fail UNAVAILABLE at RPC 1 (Publish): failed, 0 published, 0 created',
    'fail UNAVAILABLE at RPC 2 (CreateTask): failed, 1 published, 0 created',
    'lose-acknowledgement at RPC 1 (Publish): failed, 1 published, 0 created',
    'lose-acknowledgement at RPC 2 (CreateTask): failed, 1 published, 1 created',
    'crash-before at RPC 1 (Publish): crashed, 0 published, 0 created',
    'crash-before at RPC 2 (CreateTask): crashed, 1 published, 0 created',
    'crash at RPC 1 (Publish): crashed, 1 published, 0 created',
    'crash at RPC 2 (CreateTask): crashed, 1 published, 1 created',
  ]);
});

it('lets a repetition under a name prove itself, and finds the one without', async () => {
  const withName = (name?: string) => {
    const run = () => createTask(name);
    return everyFault(run, {
      open,
      recover: async () => void (await run().catch(() => undefined)),
      check: async () => expect(tasks()).toBe(1),
    });
  };
  await withName('idempotent');
  await expect(withName()).rejects.toThrow('lose-acknowledgement at RPC 1 of 1');
});

it('notices a run that hangs', async () => {
  const { trials } = await everyFault(publish, {
    open,
    actions: [{ kind: 'hang' }],
    check: async () => undefined,
  });
  expect(trials.map(({ end }) => end)).toEqual(['hung']);
});
