import type { protos } from '@google-cloud/scheduler';
import { afterEach, describe, expect, it } from 'vitest';

import {
  ACCOUNT,
  LOCATION,
  startTestCloud,
  type TestCloud,
  temporaryFile,
} from '../support/cloud.ts';

type Job = protos.google.cloud.scheduler.v1.IJob;

const JOB = `${LOCATION}/jobs/sweep`;
const MINUTE_MS = 60_000;

let test: TestCloud;
afterEach(() => test.stop());

/** A test cloud (it is 10:00 UTC) with one job that calls the target every quarter of an hour. */
async function startWithJob(
  settings: Job = {},
  react?: Parameters<typeof startTestCloud>[0],
  options?: Parameters<typeof startTestCloud>[1],
) {
  test = await startTestCloud(react, options);
  const [job] = await test.google.scheduler.createJob({
    parent: LOCATION,
    job: {
      name: JOB,
      schedule: '*/15 * * * *',
      httpTarget: { uri: `${test.target.url}/sweep` },
      ...settings,
    },
  });
  return job;
}

describe('a schedule', () => {
  it.each(['* * * *', '* * * * * *', '61 * * * *', 'every 5 minutes', '0 0 L * *', '@daily', ''])(
    '%j is refused',
    async (schedule) => {
      await expect(startWithJob({ schedule })).rejects.toMatchObject({ code: 3 });
    },
  );

  it('in an unknown time zone is refused', async () => {
    await expect(startWithJob({ timeZone: 'Mars/Base' })).rejects.toMatchObject({ code: 3 });
  });
});

describe('a job', () => {
  it('calls its target at its times, and says when', async () => {
    const job = await startWithJob();
    expect(Number(job.scheduleTime?.seconds)).toBe(test.clock.nowMs() / 1000 + 15 * 60);
    await test.pass(15 * MINUTE_MS - 1);
    expect(test.target.requests).toHaveLength(0);
    await test.pass(1);
    await test.pass(15 * MINUTE_MS);
    expect(test.target.header('x-cloudscheduler-scheduletime')).toEqual([
      '2026-01-15T10:15:00.000Z',
      '2026-01-15T10:30:00.000Z',
    ]);
    expect(test.target.requests[0]).toMatchObject({ method: 'POST', path: '/sweep' });
    expect(test.target.requests[0]?.headers).toMatchObject({
      'user-agent': 'Google-Cloud-Scheduler',
      'x-cloudscheduler': 'true',
      'x-cloudscheduler-jobname': 'sweep',
    });
  });

  it('carries its body and a token that verifies against the published key', async () => {
    await startWithJob();
    await test.google.scheduler.updateJob({
      job: {
        name: JOB,
        httpTarget: {
          uri: `${test.target.url}/sweep`,
          body: Buffer.from('{"all":true}').toString('base64'),
          headers: { 'Content-Type': 'application/json' },
          oidcToken: { serviceAccountEmail: ACCOUNT, audience: 'aud-1' },
        },
      },
      updateMask: { paths: ['http_target'] },
    });
    await test.pass(15 * MINUTE_MS);
    expect(test.target.requests[0]?.body).toBe('{"all":true}');
    expect(test.target.header('content-type')).toEqual(['application/json']);
    expect(await test.claims(test.target.requests[0], 'aud-1')).toMatchObject({ email: ACCOUNT });
  });

  it('is not retried by default, but runs again at its next time', async () => {
    await startWithJob({}, () => 500);
    await test.pass(15 * MINUTE_MS);
    await test.pass(14 * MINUTE_MS);
    expect(test.target.requests).toHaveLength(1);
    const [failed] = await test.google.scheduler.getJob({ name: JOB });
    expect(failed.status?.code).toBe(13);
    await test.pass(MINUTE_MS);
    expect(test.target.requests).toHaveLength(2);
  });

  it('is retried with doubling back-off as often as it asks', async () => {
    await startWithJob({ retryConfig: { retryCount: 2 } }, () => 500);
    await test.pass(15 * MINUTE_MS);
    await test.pass(5000);
    expect(test.target.requests).toHaveLength(2);
    await test.pass(9999);
    expect(test.target.requests).toHaveLength(2);
    await test.pass(1);
    await test.pass(10 * MINUTE_MS);
    expect(test.target.requests).toHaveLength(3);
    expect(new Set(test.target.header('x-cloudscheduler-scheduletime')).size).toBe(1);
  });

  it('is retried until both its retries and its duration are used up', async () => {
    const retryConfig = { retryCount: 1, maxRetryDuration: { seconds: 30 } };
    await startWithJob({ retryConfig }, () => 500);
    await test.pass(15 * MINUTE_MS);
    for (const waitMs of [5000, 10_000, 20_000]) await test.pass(waitMs);
    await test.pass(10 * MINUTE_MS);
    expect(test.target.requests).toHaveLength(4);
  });

  it('is cut off at its attempt deadline, and retried', async () => {
    const settings = { attemptDeadline: { seconds: 15 }, retryConfig: { retryCount: 1 } };
    await startWithJob(settings, (_, nth) => (nth === 1 ? 'hang' : 200));
    await test.clock.advance(15 * MINUTE_MS);
    await test.target.received(1);
    await test.clock.advance(15_000);
    await test.cloud.idle();
    const [failed] = await test.google.scheduler.getJob({ name: JOB });
    expect(failed.status?.code).toBe(4);
    await test.pass(5000);
    expect(test.target.requests).toHaveLength(2);
  });

  it.each([
    ['a deadline under 15 s', { attemptDeadline: { seconds: 14 } }],
    ['a deadline over 30 min', { attemptDeadline: { seconds: 1801 } }],
    ['more than 5 retries', { retryConfig: { retryCount: 6 } }],
  ])('with %s is refused', async (_, settings) => {
    await expect(startWithJob(settings)).rejects.toMatchObject({ code: 3 });
  });

  it('ticks twice now and then, with the same schedule time', async () => {
    await startWithJob();
    test.cloud.faults.injectDelivery({ delivery: 'job', action: { kind: 'duplicate' } });
    await test.pass(15 * MINUTE_MS);
    expect(test.target.header('x-cloudscheduler-scheduletime')).toEqual([
      '2026-01-15T10:15:00.000Z',
      '2026-01-15T10:15:00.000Z',
    ]);
    await test.pass(15 * MINUTE_MS);
    expect(test.target.requests).toHaveLength(3);
  });

  it('gives up its retries when the next run is due', async () => {
    const retryConfig = { retryCount: 5, minBackoffDuration: { seconds: 40 } };
    await startWithJob({ schedule: '* * * * *', retryConfig }, () => 500);
    await test.pass(MINUTE_MS);
    await test.pass(40_000);
    await test.pass(20_000);
    expect(test.target.header('x-cloudscheduler-scheduletime')).toEqual([
      '2026-01-15T10:01:00.000Z',
      '2026-01-15T10:01:00.000Z',
      '2026-01-15T10:02:00.000Z',
    ]);
  });

  it('never has two runs at a time: the next waits for the one before', async () => {
    await startWithJob({ schedule: '* * * * *', attemptDeadline: { seconds: 600 } }, () => 'hang');
    await test.clock.advance(MINUTE_MS);
    await test.target.received(1);
    await test.clock.advance(3 * MINUTE_MS);
    expect(test.target.requests).toHaveLength(1);
    test.target.release();
    await test.target.received(2);
    expect(test.target.header('x-cloudscheduler-scheduletime')[1]).toBe('2026-01-15T10:02:00.000Z');
  });

  it('runs at once on demand, and keeps its schedule', async () => {
    await startWithJob();
    await test.google.scheduler.runJob({ name: JOB });
    await test.cloud.idle();
    expect(test.target.requests).toHaveLength(1);
    await test.pass(15 * MINUTE_MS);
    expect(test.target.requests).toHaveLength(2);
  });

  it('does nothing while paused and makes up for nothing afterwards', async () => {
    await startWithJob();
    const [paused] = await test.google.scheduler.pauseJob({ name: JOB });
    expect(paused.state).toBe('PAUSED');
    await test.pass(60 * MINUTE_MS);
    await test.google.scheduler.resumeJob({ name: JOB });
    await test.cloud.idle();
    expect(test.target.requests).toHaveLength(0);
    await test.pass(15 * MINUTE_MS);
    expect(test.target.requests).toHaveLength(1);
  });

  it('is made once, listed and deleted', async () => {
    await startWithJob();
    const job = { name: JOB, schedule: '* * * * *', httpTarget: { uri: 'http://localhost/' } };
    const again = test.google.scheduler.createJob({ parent: LOCATION, job });
    await expect(again).rejects.toMatchObject({ code: 6 });
    const [jobs] = await test.google.scheduler.listJobs({ parent: LOCATION });
    expect(jobs.map(({ name }) => name)).toEqual([JOB]);
    await test.google.scheduler.deleteJob({ name: JOB });
    await test.pass(60 * MINUTE_MS);
    expect(test.target.requests).toHaveLength(0);
    await expect(test.google.scheduler.getJob({ name: JOB })).rejects.toMatchObject({ code: 5 });
  });

  it('is not lost while its target process has crashed', async () => {
    await startWithJob();
    test.cloud.faults.inject({ rpc: 'GetJob', action: { kind: 'crash-before' } });
    void test.google.scheduler.getJob({ name: JOB }).catch(() => undefined);
    while (!test.cloud.faults.crashed) await new Promise((done) => setImmediate(done));
    await test.pass(15 * MINUTE_MS);
    expect(test.target.requests).toHaveLength(0);
    test.cloud.faults.revive();
    await test.pass(5000);
    expect(test.target.requests).toHaveLength(1);
  });
});

describe('after a restart', () => {
  it('a job goes on', async () => {
    await startWithJob({}, undefined, { file: temporaryFile() });
    await test.restart();
    await test.pass(15 * MINUTE_MS);
    expect(test.target.requests).toHaveLength(1);
  });

  it('a missed run is made up for once', async () => {
    await startWithJob({}, undefined, { file: temporaryFile() });
    await test.cloud.close();
    await test.clock.advance(60 * MINUTE_MS);
    await test.restart();
    await test.cloud.idle();
    expect(test.target.requests).toHaveLength(1);
  });
});
