import { afterEach, describe, expect, it } from 'vitest';

import { ACCOUNT } from '../support/cloud.ts';
import { QUEUE, startWithQueue, task } from './support.ts';

let test: Awaited<ReturnType<typeof startWithQueue>>;
afterEach(() => test.stop());

describe('a task', () => {
  it('reaches its target with its body, its headers and those of Cloud Tasks', async () => {
    test = await startWithQueue();
    await test.create(
      { name: task('one') },
      {
        body: Buffer.from('{"a":1}').toString('base64'),
        headers: { 'Content-Type': 'application/json', 'X-Mine': 'yes' },
      },
    );
    await test.cloud.idle();
    expect(test.target.requests).toHaveLength(1);
    const [request] = test.target.requests;
    expect(request).toMatchObject({ method: 'POST', path: '/task', body: '{"a":1}' });
    expect(request?.headers).toMatchObject({
      'content-type': 'application/json',
      'x-mine': 'yes',
      'user-agent': 'Google-Cloud-Tasks',
      'x-cloudtasks-queuename': 'work',
      'x-cloudtasks-taskname': 'one',
      'x-cloudtasks-taskretrycount': '0',
      'x-cloudtasks-taskexecutioncount': '0',
      'x-cloudtasks-tasketa': (test.clock.nowMs() / 1000).toFixed(6),
    });
    expect(request?.headers['x-cloudtasks-taskpreviousresponse']).toBeUndefined();
  });

  it('cannot forge the headers of Cloud Tasks', async () => {
    test = await startWithQueue();
    await test.create({}, { headers: { 'X-CloudTasks-QueueName': 'forged', 'User-Agent': 'me' } });
    await test.cloud.idle();
    expect(test.target.header('x-cloudtasks-queuename')).toEqual(['work']);
    expect(test.target.header('user-agent')).toEqual(['Google-Cloud-Tasks']);
  });

  it('carries a token that verifies against the published key', async () => {
    test = await startWithQueue();
    await test.create({}, { oidcToken: { serviceAccountEmail: ACCOUNT, audience: 'aud-1' } });
    await test.create({}, { oidcToken: { serviceAccountEmail: ACCOUNT } });
    await test.cloud.idle();
    const nowS = test.clock.nowMs() / 1000;
    expect(await test.claims(test.target.requests[0], 'aud-1')).toMatchObject({
      iss: 'https://accounts.google.com',
      email: ACCOUNT,
      email_verified: true,
      sub: expect.stringMatching(/^\d{21}$/),
      iat: nowS,
      exp: nowS + 3600,
    });
    expect(await test.claims(test.target.requests[1], `${test.target.url}/task`)).toBeTruthy();
  });

  it('waits for its schedule time', async () => {
    test = await startWithQueue();
    const dueS = test.clock.nowMs() / 1000 + 60;
    await test.create({ scheduleTime: { seconds: dueS } });
    await test.pass(59_999);
    expect(test.target.requests).toHaveLength(0);
    await test.pass(1);
    expect(test.target.header('x-cloudtasks-tasketa')).toEqual([dueS.toFixed(6)]);
  });

  it('is cut off at its dispatch deadline and tried again', async () => {
    test = await startWithQueue({}, (_, nth) => (nth === 1 ? 'hang' : 200));
    await test.create({ name: task('slow'), dispatchDeadline: { seconds: 15 } });
    await test.target.received(1);
    await test.clock.advance(15_000);
    await test.cloud.idle();
    const [waiting] = await test.google.tasks.getTask({ name: task('slow') });
    expect(waiting.lastAttempt?.responseStatus?.code).toBe(4);
    expect(waiting).toMatchObject({ dispatchCount: 1, responseCount: 0 });
    await test.pass(100);
    expect(test.target.requests).toHaveLength(2);
  });

  it('has ten minutes unless it asks for other', async () => {
    test = await startWithQueue({}, (_, nth) => (nth === 1 ? 'hang' : 200));
    await test.create({ name: task('slow') });
    await test.target.received(1);
    await test.clock.advance(599_999);
    const [running] = await test.google.tasks.getTask({ name: task('slow') });
    expect(running.dispatchDeadline).toMatchObject({ seconds: '600' });
    expect(running.lastAttempt?.responseStatus).toBeFalsy();
    await test.clock.advance(1);
    await test.cloud.idle();
    const [waiting] = await test.google.tasks.getTask({ name: task('slow') });
    expect(waiting.lastAttempt?.responseStatus?.code).toBe(4);
  });

  it('is billed once when created and once per attempt', async () => {
    test = await startWithQueue({}, (_, nth) => (nth < 3 ? 500 : 200));
    await test.create();
    await test.cloud.idle();
    await test.pass(100);
    await test.pass(200);
    expect(test.target.requests).toHaveLength(3);
    expect(test.cloud.meter.read().tasks).toBe(4);
  });

  it('is gone after it ran, and its queue empty', async () => {
    test = await startWithQueue();
    const { name } = await test.create();
    await test.cloud.idle();
    await expect(test.google.tasks.getTask({ name: name ?? '' })).rejects.toMatchObject({
      code: 5,
    });
    expect(test.cloud.tasks.tasks(QUEUE)).toEqual([]);
  });
});
