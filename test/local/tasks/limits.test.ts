import { afterEach, describe, expect, it } from 'vitest';

import { LOCATION } from '../support/cloud.ts';
import { QUEUE, startWithQueue, task } from './support.ts';

let test: Awaited<ReturnType<typeof startWithQueue>>;
afterEach(() => test.stop());

const createMany = (count: number) =>
  Promise.all(Array.from({ length: count }, () => test.create()));

describe('a queue', () => {
  it('lets a burst through at once and the rest at its rate', async () => {
    test = await startWithQueue({ rateLimits: { maxDispatchesPerSecond: 2 } });
    await createMany(14);
    await test.cloud.idle();
    expect(test.target.requests).toHaveLength(10);
    await test.pass(500);
    expect(test.target.requests).toHaveLength(11);
    await test.pass(1500);
    expect(test.target.requests).toHaveLength(14);
  });

  it('never has more in flight than it may', async () => {
    test = await startWithQueue({ rateLimits: { maxConcurrentDispatches: 2 } }, () => 'hang');
    await createMany(5);
    await test.target.received(2);
    await new Promise((done) => setTimeout(done, 20));
    expect(test.target.requests).toHaveLength(2);
    test.target.release();
    await test.target.received(4);
    test.target.release();
    await test.target.received(5);
    test.target.release();
    await test.cloud.idle();
    expect(test.cloud.tasks.tasks()).toEqual([]);
  });

  it('keeps its tasks while it is paused', async () => {
    test = await startWithQueue();
    const [paused] = await test.google.tasks.pauseQueue({ name: QUEUE });
    expect(paused.state).toBe('PAUSED');
    await test.create();
    await test.pass(60_000);
    expect(test.target.requests).toHaveLength(0);
    await test.google.tasks.resumeQueue({ name: QUEUE });
    await test.cloud.idle();
    expect(test.target.requests).toHaveLength(1);
  });

  it('runs one task at once on demand, even while it is paused', async () => {
    test = await startWithQueue();
    await test.google.tasks.pauseQueue({ name: QUEUE });
    const inAnHour = test.clock.nowMs() / 1000 + 3600;
    await test.create({ name: task('now'), scheduleTime: { seconds: inAnHour } });
    await test.google.tasks.runTask({ name: task('now') });
    await test.cloud.idle();
    expect(test.target.requests).toHaveLength(1);
    expect(test.cloud.tasks.tasks()).toEqual([]);
  });

  it('forgets its tasks when purged, but not their names', async () => {
    test = await startWithQueue();
    await test.google.tasks.pauseQueue({ name: QUEUE });
    await test.create({ name: task('gone') });
    await test.google.tasks.purgeQueue({ name: QUEUE });
    expect(test.cloud.tasks.tasks()).toEqual([]);
    await expect(test.create({ name: task('gone') })).rejects.toMatchObject({ code: 6 });
  });

  it('changes only what an update names', async () => {
    test = await startWithQueue({
      rateLimits: { maxDispatchesPerSecond: 7 },
      retryConfig: { maxAttempts: 3 },
    });
    const [updated] = await test.google.tasks.updateQueue({
      queue: {
        name: QUEUE,
        rateLimits: { maxDispatchesPerSecond: 9 },
        retryConfig: { maxAttempts: 9 },
      },
      updateMask: { paths: ['retry_config.max_attempts'] },
    });
    expect(updated.rateLimits).toMatchObject({ maxDispatchesPerSecond: 7, maxBurstSize: 10 });
    expect(updated.retryConfig).toMatchObject({ maxAttempts: 9, maxDoublings: 16 });
  });

  it('has the defaults of production', async () => {
    test = await startWithQueue();
    const [queue] = await test.google.tasks.getQueue({ name: QUEUE });
    expect(queue).toMatchObject({
      state: 'RUNNING',
      rateLimits: { maxDispatchesPerSecond: 500, maxBurstSize: 100, maxConcurrentDispatches: 1000 },
      retryConfig: { maxAttempts: 100, maxDoublings: 16, minBackoff: { nanos: 100_000_000 } },
    });
  });

  it('is created once, listed, and takes its tasks along when deleted', async () => {
    test = await startWithQueue();
    const again = test.google.tasks.createQueue({ parent: LOCATION, queue: { name: QUEUE } });
    await expect(again).rejects.toMatchObject({ code: 6 });
    const [queues] = await test.google.tasks.listQueues({ parent: LOCATION });
    expect(queues.map((queue) => queue.name)).toEqual([QUEUE]);
    await test.google.tasks.pauseQueue({ name: QUEUE });
    await test.create();
    await test.google.tasks.deleteQueue({ name: QUEUE });
    expect(test.cloud.tasks.tasks()).toEqual([]);
    await expect(test.create()).rejects.toMatchObject({ code: 5 });
  });

  it('cannot be made again for seven days after it was deleted', async () => {
    test = await startWithQueue();
    await test.google.tasks.deleteQueue({ name: QUEUE });
    const create = () =>
      test.google.tasks.createQueue({ parent: LOCATION, queue: { name: QUEUE } });
    await expect(create()).rejects.toMatchObject({ code: 9 });
    const update = test.google.tasks.updateQueue({ queue: { name: QUEUE } });
    await expect(update).rejects.toMatchObject({ code: 9 });
    await test.pass(7 * 24 * 3_600_000 - 1);
    await expect(create()).rejects.toMatchObject({ code: 9 });
    await test.pass(1);
    await create();
  });

  it('is made by an update that names one which does not exist', async () => {
    test = await startWithQueue();
    const name = `${QUEUE}-2`;
    const rateLimits = { maxDispatchesPerSecond: 3 };
    await test.google.tasks.updateQueue({ queue: { name, rateLimits } });
    const [made] = await test.google.tasks.getQueue({ name });
    expect(made.rateLimits?.maxDispatchesPerSecond).toBe(3);
  });

  it('does not get a fresh burst by an update of its rate', async () => {
    test = await startWithQueue({ rateLimits: { maxDispatchesPerSecond: 1 } });
    await createMany(15);
    await test.cloud.idle();
    expect(test.target.requests).toHaveLength(10);
    await test.google.tasks.updateQueue({
      queue: { name: QUEUE, rateLimits: { maxDispatchesPerSecond: 2 } },
      updateMask: { paths: ['rate_limits.max_dispatches_per_second'] },
    });
    await test.cloud.idle();
    expect(test.target.requests).toHaveLength(10);
    await test.pass(500);
    expect(test.target.requests).toHaveLength(11);
  });

  it.each([
    ['more than 500 dispatches per second', { rateLimits: { maxDispatchesPerSecond: 501 } }],
    ['more than 5,000 at a time', { rateLimits: { maxConcurrentDispatches: 5001 } }],
    ['fewer than -1 attempts', { retryConfig: { maxAttempts: -2 } }],
    [
      'a back-off that shrinks',
      { retryConfig: { minBackoff: { seconds: 9 }, maxBackoff: { seconds: 8 } } },
    ],
  ])('with %s is refused', async (_, settings) => {
    test = await startWithQueue();
    const name = `${QUEUE}-2`;
    const create = test.google.tasks.createQueue({
      parent: LOCATION,
      queue: { name, ...settings },
    });
    await expect(create).rejects.toMatchObject({ code: 3 });
    const paths = Object.keys(settings).map((key) =>
      key.replaceAll(/[A-Z]/g, (letter) => `_${letter.toLowerCase()}`),
    );
    const update = test.google.tasks.updateQueue({
      queue: { name: QUEUE, ...settings },
      updateMask: { paths },
    });
    await expect(update).rejects.toMatchObject({ code: 3 });
  });

  it('refuses an update of what it sets itself', async () => {
    test = await startWithQueue();
    const update = test.google.tasks.updateQueue({
      queue: { name: QUEUE, state: 'PAUSED' },
      updateMask: { paths: ['state'] },
    });
    await expect(update).rejects.toMatchObject({ code: 3 });
  });

  it('lists its tasks page by page', async () => {
    test = await startWithQueue();
    await test.google.tasks.pauseQueue({ name: QUEUE });
    for (const id of ['a', 'b', 'c']) await test.create({ name: task(id) });
    const [all] = await test.google.tasks.listTasks({ parent: QUEUE });
    expect(all.map((each) => each.name)).toEqual(['a', 'b', 'c'].map(task));
    const [two, , { nextPageToken }] = (await test.google.tasks.listTasks(
      { parent: QUEUE, pageSize: 2 },
      { autoPaginate: false },
    )) as [unknown[], unknown, { nextPageToken: string }];
    expect(two).toHaveLength(2);
    expect(nextPageToken).not.toBe('');
  });
});

describe('throughput', () => {
  it('creates and dispatches 1,000 tasks within seconds', async () => {
    test = await startWithQueue();
    const beganMs = performance.now();
    await createMany(1000);
    await test.cloud.idle();
    for (let left = 1000; left > 0; left = test.cloud.tasks.tasks().length) await test.pass(100);
    expect(test.target.requests).toHaveLength(1000);
    expect(performance.now() - beganMs).toBeLessThan(10_000);
  });
});
