import { afterEach, describe, expect, it } from 'vitest';

import {
  startTestCloud,
  LOCATION,
  type TestCloud,
  temporaryFile,
  ACCOUNT,
} from '../support/cloud.ts';

const QUEUE = `${LOCATION}/queues/work`;
const TOPIC = 'projects/purvey-test/topics/events';
const SUBSCRIPTION = 'projects/purvey-test/subscriptions/reader';

let test: TestCloud;
afterEach(() => test.stop());

describe('the embedded cloud', () => {
  it('is idle only when what one product sets off in another is done too', async () => {
    const react = async (path: string) => {
      if (path !== '/push') return;
      const httpRequest = { url: `${test.target.url}/task` };
      await test.google.tasks.createTask({ parent: QUEUE, task: { httpRequest } });
    };
    let handled: Promise<void> = Promise.resolve();
    test = await startTestCloud(({ path }) => {
      handled = react(path);
      return 200;
    });
    await test.google.tasks.createQueue({ parent: LOCATION, queue: { name: QUEUE } });
    await test.google.publisher.createTopic({ name: TOPIC });
    const pushConfig = { pushEndpoint: `${test.target.url}/push` };
    await test.google.subscriber.createSubscription({
      name: SUBSCRIPTION,
      topic: TOPIC,
      pushConfig,
    });
    await test.google.publisher.publish({ topic: TOPIC, messages: [{ data: Buffer.from('x') }] });
    await test.cloud.idle();
    await handled;
    await test.cloud.idle();
    expect(test.target.requests.map(({ path }) => path)).toEqual(['/push', '/task']);
  });

  it('applies a call whose acknowledgement is lost', async () => {
    test = await startTestCloud();
    await test.google.tasks.createQueue({ parent: LOCATION, queue: { name: QUEUE } });
    const action = { kind: 'lose-acknowledgement', code: 'DEADLINE_EXCEEDED' } as const;
    test.cloud.faults.inject({ rpc: 'CreateTask', action });
    const task = { httpRequest: { url: test.target.url } };
    await expect(test.google.tasks.createTask({ parent: QUEUE, task })).rejects.toMatchObject({
      code: 4,
    });
    await test.cloud.idle();
    expect(test.target.requests).toHaveLength(1);
  });

  it('answers UNIMPLEMENTED to what it does not imitate', async () => {
    test = await startTestCloud();
    const call = test.google.kms.generateRandomBytes({ location: LOCATION, lengthBytes: 8 });
    await expect(call).rejects.toMatchObject({ code: 12 });
  });

  it('signs with the same key after a restart', async () => {
    test = await startTestCloud(undefined, { file: temporaryFile() });
    const before = test.cloud.identity.jwks();
    await test.restart();
    expect(test.cloud.identity.jwks()).toEqual(before);
  });

  it('renews tokens long before they expire', async () => {
    test = await startTestCloud();
    const subject = { email: ACCOUNT, audience: 'a' };
    const first = await test.cloud.identity.tokenFor(subject);
    await test.clock.advance(29 * 60_000);
    expect(await test.cloud.identity.tokenFor(subject)).toBe(first);
    await test.clock.advance(60_000);
    expect(await test.cloud.identity.tokenFor(subject)).not.toBe(first);
  });

  it('closes with work in flight, which is done at the next start', async () => {
    const react = (_: unknown, nth: number) => (nth === 1 ? 'hang' : 200);
    test = await startTestCloud(react, { file: temporaryFile() });
    await test.google.tasks.createQueue({ parent: LOCATION, queue: { name: QUEUE } });
    const task = { httpRequest: { url: test.target.url } };
    await test.google.tasks.createTask({ parent: QUEUE, task });
    await test.target.received(1);
    await test.restart();
    await test.cloud.idle();
    expect(test.target.requests).toHaveLength(2);
  });
});
