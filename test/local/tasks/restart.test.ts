import { afterEach, describe, expect, it } from 'vitest';

import { LOCATION, temporaryFile } from '../support/cloud.ts';
import { QUEUE, startWithQueue, task } from './support.ts';

let test: Awaited<ReturnType<typeof startWithQueue>>;
afterEach(() => test.stop());

describe('after a restart', () => {
  it('waiting tasks run at their time', async () => {
    test = await startWithQueue({}, undefined, { file: temporaryFile() });
    await test.create({ scheduleTime: { seconds: test.clock.nowMs() / 1000 + 60 } });
    await test.restart();
    await test.pass(59_999);
    expect(test.target.requests).toHaveLength(0);
    await test.pass(1);
    expect(test.target.requests).toHaveLength(1);
  });

  it('a task in flight is run again and has not forgotten its attempts', async () => {
    const file = temporaryFile();
    test = await startWithQueue({}, (_, nth) => (nth === 1 ? 'hang' : 200), { file });
    await test.create();
    await test.target.received(1);
    await test.restart();
    await test.cloud.idle();
    expect(test.target.header('x-cloudtasks-taskretrycount')).toEqual(['0', '1']);
  });

  it('names are still refused and a paused queue is still paused', async () => {
    test = await startWithQueue({}, undefined, { file: temporaryFile() });
    await test.create({ name: task('once') });
    await test.cloud.idle();
    await test.google.tasks.pauseQueue({ name: QUEUE });
    await test.restart();
    await expect(test.create({ name: task('once') })).rejects.toMatchObject({ code: 6 });
    await test.create({ name: task('other') });
    await test.pass(1000);
    expect(test.target.requests).toHaveLength(1);
  });
});

describe('a restart', () => {
  it('does not fill the token bucket again', async () => {
    const rateLimits = { maxDispatchesPerSecond: 1 };
    test = await startWithQueue({ rateLimits }, undefined, { file: temporaryFile() });
    for (let n = 0; n < 12; n++) await test.create();
    await test.cloud.idle();
    expect(test.target.requests).toHaveLength(10);
    await test.restart();
    await test.cloud.idle();
    expect(test.target.requests).toHaveLength(10);
    await test.pass(1000);
    expect(test.target.requests).toHaveLength(11);
  });

  it('does not free the name of a deleted queue', async () => {
    test = await startWithQueue({}, undefined, { file: temporaryFile() });
    await test.google.tasks.deleteQueue({ name: QUEUE });
    await test.restart();
    const again = test.google.tasks.createQueue({ parent: LOCATION, queue: { name: QUEUE } });
    await expect(again).rejects.toMatchObject({ code: 9 });
  });
});

describe('held deliveries', () => {
  it('are not sent until they are released', async () => {
    const options = { file: temporaryFile(), holdDeliveries: true };
    test = await startWithQueue({}, undefined, options);
    await test.create();
    await new Promise((done) => setTimeout(done, 20));
    expect(test.target.requests).toHaveLength(0);
    test.cloud.releaseDeliveries();
    await test.cloud.idle();
    expect(test.target.requests).toHaveLength(1);
  });
});
