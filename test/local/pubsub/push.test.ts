import { afterEach, describe, expect, it } from 'vitest';

import { ACCOUNT } from '../support/cloud.ts';
import { type PubsubTest, startWithTopics, SUBSCRIPTION, subscription, TOPIC } from './support.ts';

let test: PubsubTest;
afterEach(() => test.stop());

describe('a push', () => {
  it('carries the message as production wraps it', async () => {
    test = await startWithTopics();
    await test.subscribePush();
    const id = await test.publish('hello', { attributes: { event_type: 'bid.made' } });
    await test.cloud.idle();
    const publishTime = new Date(test.clock.nowMs()).toISOString();
    expect(test.bodies()).toEqual([
      {
        message: {
          data: Buffer.from('hello').toString('base64'),
          attributes: { event_type: 'bid.made' },
          messageId: id,
          message_id: id,
          publishTime,
          publish_time: publishTime,
        },
        subscription: SUBSCRIPTION,
      },
    ]);
    expect(test.target.requests[0]?.headers).toMatchObject({ 'content-type': 'application/json' });
    expect(test.target.requests[0]?.headers['ce-id']).toBeUndefined();
  });

  it('is a CloudEvent where the endpoint asks for that binding', async () => {
    test = await startWithTopics();
    await test.subscribePush({}, '/?__GCP_CloudEventsMode=CE_PUBSUB_BINDING');
    const id = await test.publish('hello');
    await test.cloud.idle();
    expect(test.target.requests[0]?.headers).toMatchObject({
      'ce-id': id,
      'ce-source': `//pubsub.googleapis.com/${TOPIC}`,
      'ce-specversion': '1.0',
      'ce-type': 'google.cloud.pubsub.topic.v1.messagePublished',
      'ce-time': new Date(test.clock.nowMs()).toISOString(),
      'content-type': 'application/json',
    });
    expect(test.bodies()[0]?.message.messageId).toBe(id);
  });

  it('carries a token that verifies against the published key', async () => {
    test = await startWithTopics();
    const oidcToken = { serviceAccountEmail: ACCOUNT, audience: 'aud-1' };
    await test.subscribePush({ pushConfig: { pushEndpoint: `${test.target.url}/a`, oidcToken } });
    await test.publish('hello');
    await test.cloud.idle();
    expect(await test.claims(test.target.requests[0], 'aud-1')).toMatchObject({ email: ACCOUNT });
  });

  it('reaches every subscription of the topic', async () => {
    test = await startWithTopics();
    await test.subscribePush({ name: subscription('one') }, '/one');
    await test.subscribePush({ name: subscription('two') }, '/two');
    await test.publish('hello');
    await test.cloud.idle();
    expect(test.target.requests.map((request) => request.path).sort()).toEqual(['/one', '/two']);
  });

  it.each([200, 201, 202, 204])('is acknowledged by %d', async (status) => {
    test = await startWithTopics(() => status);
    await test.subscribePush();
    await test.publish('hello');
    await test.pass(3_600_000);
    expect(test.target.requests).toHaveLength(1);
    expect(test.cloud.pubsub.outstanding()).toEqual([]);
  });

  it('is acknowledged by 102, before the work is done', async () => {
    test = await startWithTopics(() => 'processing');
    await test.subscribePush();
    await test.publish('hello');
    await test.target.received(1);
    await test.cloud.idle();
    expect(test.cloud.pubsub.outstanding()).toEqual([]);
  });

  it.each([203, 302, 400, 404, 500])('is not acknowledged by %d', async (status) => {
    test = await startWithTopics(() => status);
    await test.subscribePush();
    await test.publish('hello');
    await test.cloud.idle();
    await test.pass(100);
    expect(test.target.requests).toHaveLength(2);
    expect(test.cloud.pubsub.outstanding()).toHaveLength(1);
  });

  it('that is not answered by the ack deadline is made again', async () => {
    test = await startWithTopics((_, nth) => (nth === 1 ? 'hang' : 200));
    await test.subscribePush({ ackDeadlineSeconds: 30, retryPolicy: {} });
    await test.publish('hello');
    await test.target.received(1);
    await test.pass(30_000);
    expect(test.target.requests).toHaveLength(1);
    await test.pass(10_000);
    expect(test.target.requests).toHaveLength(2);
    expect(test.cloud.pubsub.outstanding()).toEqual([]);
  });

  it('backs off from 10 s to 600 s by default once there is a retry policy', async () => {
    test = await startWithTopics(() => 500);
    await test.subscribePush({ retryPolicy: {} });
    await test.publish('hello');
    await test.cloud.idle();
    for (const [index, waitS] of [10, 20, 40, 80, 160, 320, 600, 600].entries()) {
      await test.pass(waitS * 1000 - 1);
      expect(test.target.requests).toHaveLength(index + 1);
      await test.pass(1);
      expect(test.target.requests).toHaveLength(index + 2);
    }
  });

  it('is dropped after seven days', async () => {
    test = await startWithTopics(() => 500);
    await test.subscribePush({ retryPolicy: {} });
    await test.publish('hello');
    await test.cloud.idle();
    for (let hours = 0; hours <= 7 * 24; hours++) await test.pass(3_600_000);
    expect(test.cloud.pubsub.outstanding()).toEqual([]);
  });

  it('is billed once per published message', async () => {
    test = await startWithTopics((_, nth) => (nth === 1 ? 500 : 200));
    await test.subscribePush();
    await test.publish('one');
    await test.publish('two');
    await test.cloud.idle();
    await test.pass(1000);
    expect(test.target.requests).toHaveLength(3);
    expect(test.cloud.meter.read().messages).toBe(2);
  });

  it('waits while the target process has crashed', async () => {
    test = await startWithTopics();
    await test.subscribePush();
    test.cloud.faults.inject({ rpc: 'Publish', action: { kind: 'crash' } });
    void test.publish('hello').catch(() => undefined);
    while (test.cloud.pubsub.outstanding().length === 0)
      await new Promise((done) => setImmediate(done));
    await test.cloud.idle();
    await test.pass(100);
    expect(test.target.requests).toHaveLength(0);
    test.cloud.faults.revive();
    await test.pass(60_000);
    expect(test.texts()).toEqual(['hello']);
  });
});

describe('with ordering keys', () => {
  it("the body carries the key, as in production; Google's emulator leaves it out", async () => {
    test = await startWithTopics();
    await test.subscribePush({ enableMessageOrdering: true });
    await test.publish('keyed', { orderingKey: 'k' });
    await test.publish('unkeyed');
    await test.cloud.idle();
    const keyed = test.bodies().map(({ message }) => message.orderingKey ?? 'absent');
    expect(keyed.sort()).toEqual(['absent', 'k']);
  });

  it('a message waits until the one before it of its key is acknowledged', async () => {
    test = await startWithTopics((_, nth) => (nth === 1 ? 500 : 200));
    await test.subscribePush({ enableMessageOrdering: true });
    for (const text of ['a1', 'a2', 'a3']) await test.publish(text, { orderingKey: 'a' });
    await test.publish('b1', { orderingKey: 'b' });
    await test.cloud.idle();
    expect(test.texts()).toEqual(['a1', 'b1']);
    await test.pass(100);
    expect(test.texts()).toEqual(['a1', 'b1', 'a1', 'a2', 'a3']);
    expect(test.bodies()[0]?.message.orderingKey).toBe('a');
  });

  it('a batch of one key arrives in order', async () => {
    test = await startWithTopics();
    await test.subscribePush({ enableMessageOrdering: true });
    const texts = Array.from({ length: 50 }, (_, index) => `m${index}`);
    const messages = texts.map((text) => ({ data: Buffer.from(text), orderingKey: 'k' }));
    await test.google.publisher.publish({ topic: TOPIC, messages });
    await test.cloud.idle();
    expect(test.texts()).toEqual(texts);
  });
});
