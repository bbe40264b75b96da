import { afterEach, describe, expect, it } from 'vitest';

import { startWithQueue, task } from './support.ts';

let test: Awaited<ReturnType<typeof startWithQueue>>;
afterEach(() => test.stop());

/** The waits between attempts, found by moving time in small steps. */
async function waitsOf(attempts: number, stepMs: number): Promise<number[]> {
  const times: number[] = [];
  await test.cloud.idle();
  times.push(test.clock.nowMs());
  while (times.length < attempts) {
    await test.pass(stepMs);
    while (times.length < test.target.requests.length) times.push(test.clock.nowMs());
  }
  return times.slice(1).map((time, index) => time - (times[index] ?? 0));
}

describe('a failing task', () => {
  it('that fails twice is retried with doubling back-off', async () => {
    test = await startWithQueue({}, (_, nth) => (nth < 3 ? 503 : 200));
    await test.create();
    expect(await waitsOf(3, 100)).toEqual([100, 200]);
    expect(test.cloud.tasks.tasks()).toEqual([]);
  });

  it('backs off doubling, then linearly, then at the maximum', async () => {
    const retryConfig = {
      minBackoff: { seconds: 10 },
      maxBackoff: { seconds: 300 },
      maxDoublings: 3,
    };
    test = await startWithQueue({ retryConfig }, () => 500);
    await test.create();
    const waitsMs = await waitsOf(9, 10_000);
    expect(waitsMs.map((ms) => ms / 1000)).toEqual([10, 20, 40, 80, 160, 240, 300, 300]);
  });

  it('counts every retry, but in the execution count only answers other than 5xx', async () => {
    test = await startWithQueue(
      {},
      (_, nth) => [500, 429, 'reset' as const, 404, 200][nth - 1] ?? 200,
    );
    await test.create();
    await waitsOf(5, 100);
    expect(test.target.header('x-cloudtasks-taskretrycount')).toEqual(['0', '1', '2', '3', '4']);
    expect(test.target.header('x-cloudtasks-taskexecutioncount')).toEqual([
      '0',
      '0',
      '1',
      '1',
      '2',
    ]);
    expect(test.target.header('x-cloudtasks-taskpreviousresponse')).toEqual([
      undefined,
      '500',
      '429',
      undefined,
      '404',
    ]);
  });

  it('is given up after the last of its attempts', async () => {
    test = await startWithQueue({ retryConfig: { maxAttempts: 2 } }, () => 500);
    await test.create();
    await test.cloud.idle();
    await test.pass(100);
    await test.pass(3_600_000);
    expect(test.target.requests).toHaveLength(2);
    expect(test.cloud.tasks.tasks()).toEqual([]);
  });

  it('goes on until attempts and duration are both used up', async () => {
    const retryConfig = {
      maxAttempts: 2,
      maxRetryDuration: { seconds: 35 },
      minBackoff: { seconds: 10 },
      maxDoublings: 1,
    };
    test = await startWithQueue({ retryConfig }, () => 500);
    await test.create();
    expect((await waitsOf(4, 10_000)).map((ms) => ms / 1000)).toEqual([10, 20, 40]);
    await test.pass(3_600_000);
    expect(test.target.requests).toHaveLength(4);
  });

  it('with unlimited attempts goes on until its duration is used up', async () => {
    const retryConfig = {
      maxAttempts: -1,
      maxRetryDuration: { seconds: 25 },
      minBackoff: { seconds: 10 },
      maxDoublings: 0,
    };
    test = await startWithQueue({ retryConfig }, () => 500);
    await test.create();
    expect((await waitsOf(3, 10_000)).map((ms) => ms / 1000)).toEqual([10, 20]);
    await test.pass(3_600_000);
    expect(test.target.requests).toHaveLength(3);
    expect(test.cloud.tasks.tasks()).toEqual([]);
  });

  it('is seen when it would slow its queue down in production', async () => {
    test = await startWithQueue({}, (_, nth) => [429, 503, 500, 404][nth - 1] ?? 200);
    await test.create();
    await waitsOf(5, 100);
    expect(test.cloud.tasks.pushBacks()).toBe(2);
  });

  it('waits as long as the answer asks', async () => {
    test = await startWithQueue({}, (_, nth) =>
      nth === 1 ? { status: 503, headers: { 'retry-after': '7' } } : 200,
    );
    await test.create();
    expect(await waitsOf(2, 1000)).toEqual([7000]);
  });

  it('shows its attempts when asked for', async () => {
    test = await startWithQueue({}, () => 404);
    await test.create({ name: task('shown') });
    await test.cloud.idle();
    const [shown] = await test.google.tasks.getTask({ name: task('shown') });
    expect(shown).toMatchObject({ dispatchCount: 1, responseCount: 1 });
    expect(shown.lastAttempt?.responseStatus).toMatchObject({ code: 5 });
    expect(
      Number(shown.scheduleTime?.seconds) * 1000 + Number(shown.scheduleTime?.nanos) / 1e6,
    ).toBe(test.clock.nowMs() + 100);
  });

  it('whose target cannot be reached is retried too', async () => {
    test = await startWithQueue();
    await test.create({ name: task('lost') }, { url: 'http://127.0.0.1:1/nobody' });
    await test.cloud.idle();
    const [waiting] = await test.google.tasks.getTask({ name: task('lost') });
    expect(waiting.lastAttempt?.responseStatus?.code).toBe(14);
    expect(waiting).toMatchObject({ dispatchCount: 1, responseCount: 0 });
  });
});

describe('a crashed target process', () => {
  it('gets nothing until it is revived, and loses nothing', async () => {
    test = await startWithQueue({ retryConfig: { maxAttempts: 1 } });
    test.cloud.faults.inject({ rpc: 'CreateTask', action: { kind: 'crash' } });
    void test.create().catch(() => undefined);
    while (test.cloud.tasks.tasks().length === 0) await new Promise((done) => setImmediate(done));
    await test.cloud.idle();
    await test.pass(100);
    expect(test.target.requests).toHaveLength(0);
    test.cloud.faults.revive();
    await test.pass(200);
    expect(test.target.requests).toHaveLength(1);
    expect(test.cloud.tasks.tasks()).toEqual([]);
  });

  it('never answers what it was working on', async () => {
    test = await startWithQueue({}, (_, nth) => (nth === 1 ? 'hang' : 200));
    await test.create();
    await test.target.received(1);
    test.cloud.faults.inject({ rpc: 'GetQueue', action: { kind: 'crash-before' } });
    void test.google.tasks.getQueue({ name: 'any' }).catch(() => undefined);
    await test.cloud.idle();
    expect(test.cloud.tasks.tasks()).toHaveLength(1);
    test.cloud.faults.revive();
    await test.pass(100);
    expect(test.target.requests).toHaveLength(2);
    expect(test.cloud.tasks.tasks()).toEqual([]);
  });
});
