import { afterEach, describe, expect, it } from 'vitest';

import { LOCATION, PROJECT, startTestCloud, type TestCloud } from '../support/cloud.ts';

const QUEUE = `${LOCATION}/queues/work`;
const TOPIC = `projects/${PROJECT}/topics/events`;

let test: TestCloud;
afterEach(() => test.stop());

/** A cloud in which `send()` makes one delivery of each kind, to /push, /task and /job. */
async function start(react?: Parameters<typeof startTestCloud>[0]) {
  test = await startTestCloud(react);
  const { tasks, publisher, subscriber, scheduler } = test.google;
  const { url } = test.target;
  await tasks.createQueue({ parent: LOCATION, queue: { name: QUEUE } });
  await publisher.createTopic({ name: TOPIC });
  await subscriber.createSubscription({
    name: `projects/${PROJECT}/subscriptions/reader`,
    topic: TOPIC,
    pushConfig: { pushEndpoint: `${url}/push` },
  });
  const job = {
    name: `${LOCATION}/jobs/j`,
    schedule: '0 0 1 1 *',
    httpTarget: { uri: `${url}/job` },
    retryConfig: { retryCount: 3 },
  };
  await scheduler.createJob({ parent: LOCATION, job });
  return {
    push: (text = 'x') =>
      publisher.publish({ topic: TOPIC, messages: [{ data: Buffer.from(text) }] }),
    task: (id = 'x') =>
      tasks.createTask({ parent: QUEUE, task: { httpRequest: { url: `${url}/task?${id}` } } }),
    job: () => scheduler.runJob({ name: job.name }),
  };
}

const paths = () => test.target.requests.map(({ path }) => path);

describe.each(['push', 'task', 'job'] as const)('a %s', (delivery) => {
  it('is made twice, and counts as one attempt', async () => {
    const send = await start();
    test.cloud.faults.injectDelivery({ delivery, action: { kind: 'duplicate' } });
    await send[delivery]();
    await test.cloud.idle();
    await test.pass(60_000);
    expect(test.target.requests).toHaveLength(2);
    const retries = test.target.header('x-cloudtasks-taskretrycount');
    expect(retries).toEqual(delivery === 'task' ? ['0', '0'] : [undefined, undefined]);
  });

  it('is made twice at the same time', async () => {
    const send = await start(() => 'hang');
    test.cloud.faults.injectDelivery({ delivery, action: { kind: 'duplicate', together: true } });
    await send[delivery]();
    await test.target.received(2);
    test.target.release();
    await test.cloud.idle();
    expect(test.target.requests).toHaveLength(2);
  });

  it('is made again when its acknowledgement is lost', async () => {
    const send = await start();
    test.cloud.faults.injectDelivery({ delivery, action: { kind: 'lose-acknowledgement' } });
    await send[delivery]();
    await test.cloud.idle();
    expect(test.target.requests).toHaveLength(1);
    await test.pass(60_000);
    expect(test.target.requests).toHaveLength(2);
  });

  it('is made again when it is lost itself', async () => {
    const send = await start();
    test.cloud.faults.injectDelivery({ delivery, action: { kind: 'lose' } });
    await send[delivery]();
    await test.cloud.idle();
    expect(test.target.requests).toHaveLength(0);
    await test.pass(60_000);
    expect(test.target.requests).toHaveLength(1);
  });

  it('is late, without anything waiting for it or counting it', async () => {
    const send = await start();
    test.cloud.faults.injectDelivery({ delivery, action: { kind: 'delay', ms: 30_000 } });
    await send[delivery]();
    await test.pass(29_999);
    expect(test.target.requests).toHaveLength(0);
    await test.pass(1);
    expect(test.target.requests).toHaveLength(1);
    const retries = test.target.header('x-cloudtasks-taskretrycount');
    expect(retries).toEqual([delivery === 'task' ? '0' : undefined]);
  });
});

describe('deliveries', () => {
  it('overtake a delayed one', async () => {
    const send = await start();
    test.cloud.faults.injectDelivery({ delivery: 'task', action: { kind: 'delay', ms: 1000 } });
    await send.task('first');
    await send.task('second');
    await test.pass(1000);
    expect(paths()).toEqual(['/task?second', '/task?first']);
  });

  it('are struck only where the rule says', async () => {
    const send = await start();
    const when = (url: string) => url.endsWith('/push');
    test.cloud.faults.injectDelivery({ delivery: '*', when, action: { kind: 'duplicate' } });
    await send.task();
    await send.push();
    await test.cloud.idle();
    expect(paths().toSorted()).toEqual(['/push', '/push', '/task?x']);
  });

  it('all arrive in the end under faults by chance, none of them fewer than once', async () => {
    const send = await start();
    test.cloud.faults.randomDeliveries(42, {
      probability: 0.4,
      actions: [
        { kind: 'duplicate' },
        { kind: 'delay', ms: 5000 },
        { kind: 'lose-acknowledgement' },
        { kind: 'lose' },
      ],
    });
    const ids = Array.from({ length: 30 }, (_, index) => `${index}`);
    await Promise.all(ids.flatMap((id) => [send.task(id), send.push(id)]));
    const left = () => test.cloud.tasks.tasks().length + test.cloud.pubsub.outstanding().length;
    await test.cloud.idle();
    while (left() > 0) await test.pass(1000);
    const pushed = test.target.requests
      .filter(({ path }) => path === '/push')
      .map(({ body }) => JSON.parse(body).message.messageId as string);
    expect(new Set(paths().filter((path) => path !== '/push'))).toEqual(
      new Set(ids.map((id) => `/task?${id}`)),
    );
    expect(new Set(pushed).size).toBe(30);
    expect(test.target.requests.length).toBeGreaterThan(60);
  });
});
