import { afterEach, describe, expect, it } from 'vitest';

import { QUEUE, startWithQueue, task } from './support.ts';

let test: Awaited<ReturnType<typeof startWithQueue>>;
afterEach(() => test.stop());

const ALREADY_EXISTS = { code: 6 };
const INVALID_ARGUMENT = { code: 3 };

describe('a named task', () => {
  it('is refused while another of its name waits', async () => {
    test = await startWithQueue();
    await test.google.tasks.pauseQueue({ name: QUEUE });
    await test.create({ name: task('twin') });
    await expect(test.create({ name: task('twin') })).rejects.toMatchObject(ALREADY_EXISTS);
  });

  it('is refused for an hour after it ran', async () => {
    test = await startWithQueue();
    await test.create({ name: task('once') });
    await test.cloud.idle();
    await test.pass(3_599_999);
    await expect(test.create({ name: task('once') })).rejects.toMatchObject(ALREADY_EXISTS);
    await test.pass(1);
    await test.create({ name: task('once') });
    await test.cloud.idle();
    expect(test.target.requests).toHaveLength(2);
  });

  it('is refused for an hour after it was deleted', async () => {
    test = await startWithQueue();
    await test.google.tasks.pauseQueue({ name: QUEUE });
    await test.create({ name: task('cancelled') });
    await test.google.tasks.deleteTask({ name: task('cancelled') });
    await expect(test.create({ name: task('cancelled') })).rejects.toMatchObject(ALREADY_EXISTS);
  });
});

describe('a bad task', () => {
  it.each([
    ['with the name of another queue', { name: task('x').replace('work', 'other') }, {}],
    ['with a malformed name', { name: `${QUEUE}/tasks/a b` }, {}],
    ['without an http address', {}, { url: 'ftp://example.com' }],
    ['with a body on GET', {}, { httpMethod: 'GET' as const, body: Buffer.from('x') }],
    ['larger than 1 MiB', {}, { body: Buffer.alloc(1024 * 1024) }],
    ['with a deadline under 15 s', { dispatchDeadline: { seconds: 14 } }, {}],
    ['with a deadline over 30 min', { dispatchDeadline: { seconds: 1801 } }, {}],
  ])('%s is refused', async (_, wire, request) => {
    test = await startWithQueue();
    await expect(test.create(wire, request)).rejects.toMatchObject(INVALID_ARGUMENT);
  });

  it('due more than 30 days ahead is refused', async () => {
    test = await startWithQueue();
    const nowS = test.clock.nowMs() / 1000;
    const days = 24 * 3600;
    const tooLate = test.create({ scheduleTime: { seconds: nowS + 30 * days + 1 } });
    await expect(tooLate).rejects.toMatchObject(INVALID_ARGUMENT);
    await test.create({ scheduleTime: { seconds: nowS + 30 * days } });
  });

  it('in a queue that does not exist is refused', async () => {
    test = await startWithQueue();
    const parent = QUEUE.replace('work', 'none');
    const lost = test.google.tasks.createTask({
      parent,
      task: { httpRequest: { url: 'http://a' } },
    });
    await expect(lost).rejects.toMatchObject({ code: 5 });
  });
});
