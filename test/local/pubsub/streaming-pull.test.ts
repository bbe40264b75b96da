import { PubSub, type Message } from '@google-cloud/pubsub';
import { credentials } from '@grpc/grpc-js';
import { afterEach, describe, expect, it } from 'vitest';

import { PROJECT } from '../support/cloud.ts';
import { moment, openStream } from './streaming-support.ts';
import { type PubsubTest, startWithTopics, SUBSCRIPTION, TOPIC } from './support.ts';

let test: PubsubTest;
let streams: ReturnType<typeof openStream>[] = [];
afterEach(async () => {
  for (const stream of streams) stream.close();
  streams = [];
  await test.stop();
});

const open = (settings?: Parameters<typeof openStream>[1]) => {
  const stream = openStream(test, settings);
  streams.push(stream);
  return stream;
};

const publishMany = (texts: readonly string[], orderingKey = '') =>
  test.google.publisher.publish({
    topic: TOPIC,
    messages: texts.map((text) => ({ data: Buffer.from(text), orderingKey })),
  });

/** Resolves once nothing is held any more. */
async function allAcknowledged() {
  while (test.cloud.pubsub.outstanding().length > 0)
    await new Promise((done) => setTimeout(done, 2));
}

describe('a stream', () => {
  it('gets what waited and what comes, and takes acknowledgements', async () => {
    test = await startWithTopics();
    await test.subscribe();
    await test.publish('before');
    const stream = open();
    await stream.count(1);
    await test.publish('after');
    await stream.count(2);
    expect(stream.texts()).toEqual(['before', 'after']);
    expect(stream.received[0]?.deliveryAttempt).toBeFalsy();
    stream.send({ ackIds: stream.ackIds() });
    await allAcknowledged();
  });

  it('gets a message again when its deadline passes, unless the stream extends it', async () => {
    test = await startWithTopics();
    await test.subscribe();
    await publishMany(['extended', 'forgotten']);
    const stream = open({ streamAckDeadlineSeconds: 20 });
    await stream.count(2);
    const [extended = ''] = stream.ackIds();
    stream.send({ modifyDeadlineAckIds: [extended], modifyDeadlineSeconds: [60] });
    await moment();
    await test.pass(19_999);
    await moment();
    expect(stream.received).toHaveLength(2);
    await test.pass(1);
    await stream.count(3);
    expect(stream.texts()).toEqual(['extended', 'forgotten', 'forgotten']);
    await test.pass(40_000);
    await stream.count(6);
    const again = stream.texts().slice(3);
    expect(again).toHaveLength(3);
    expect(new Set(again)).toEqual(new Set(['extended', 'forgotten']));
  });

  it('gets a refused message again at once', async () => {
    test = await startWithTopics();
    await test.subscribe();
    await test.publish('refused');
    const stream = open();
    await stream.count(1);
    stream.send({ modifyDeadlineAckIds: stream.ackIds(), modifyDeadlineSeconds: [0] });
    await stream.count(2);
    expect(new Set(stream.ackIds()).size).toBe(2);
  });

  it('gets no more messages than it has room for', async () => {
    test = await startWithTopics();
    await test.subscribe();
    const stream = open({ maxOutstandingMessages: 3 });
    await publishMany(['1', '2', '3', '4', '5']);
    await stream.count(3);
    await moment();
    expect(stream.received).toHaveLength(3);
    stream.send({ ackIds: stream.ackIds().slice(0, 2) });
    await stream.count(5);
    stream.send({ ackIds: stream.ackIds().slice(2) });
    await allAcknowledged();
  });

  it('gets no more bytes than it has room for, but never less than one message', async () => {
    test = await startWithTopics();
    await test.subscribe();
    const stream = open({ maxOutstandingBytes: 1000 });
    await publishMany(['x'.repeat(5000), 'small']);
    await stream.count(1);
    await moment();
    expect(stream.received).toHaveLength(1);
    stream.send({ ackIds: stream.ackIds() });
    await stream.count(2);
  });

  it('counts attempts only where there is a dead-letter policy', async () => {
    test = await startWithTopics();
    await test.subscribe({ deadLetterPolicy: { deadLetterTopic: TOPIC } });
    await test.publish('counted');
    const stream = open();
    await stream.count(1);
    stream.send({ modifyDeadlineAckIds: stream.ackIds(), modifyDeadlineSeconds: [0] });
    await stream.count(2);
    expect(stream.received.map(({ deliveryAttempt }) => deliveryAttempt)).toEqual([1, 2]);
  });

  it('shares the messages with the other streams', async () => {
    test = await startWithTopics();
    await test.subscribe();
    const [one, two] = [open(), open()];
    await moment();
    await publishMany(Array.from({ length: 10 }, (_, index) => `${index}`));
    while (one.received.length + two.received.length < 10) await moment();
    expect([one.received.length, two.received.length]).toEqual([5, 5]);
    expect(new Set([...one.texts(), ...two.texts()]).size).toBe(10);
  });

  it('leaves what it did not acknowledge to the next one, when its deadline passes', async () => {
    test = await startWithTopics();
    await test.subscribe();
    await test.publish('left behind');
    const first = open();
    await first.count(1);
    first.close();
    await moment();
    const second = open();
    await moment();
    expect(second.received).toHaveLength(0);
    await test.pass(10_000);
    await second.count(1);
  });
});

describe('with ordering keys, a stream', () => {
  it('gets the next of a key before the one before is acknowledged, other streams do not', async () => {
    test = await startWithTopics();
    await test.subscribe({ enableMessageOrdering: true });
    const [one, two] = [open(), open()];
    await moment();
    await publishMany(['1', '2'], 'k');
    await moment();
    await publishMany(['3', '4'], 'k');
    const owner = await Promise.race([one.count(4).then(() => one), two.count(4).then(() => two)]);
    expect(owner.texts()).toEqual(['1', '2', '3', '4']);
    expect(one.received.length + two.received.length).toBe(4);
  });

  it('gets all later ones again after one that failed', async () => {
    test = await startWithTopics();
    await test.subscribe({ enableMessageOrdering: true });
    const stream = open();
    await publishMany(['1', '2', '3'], 'k');
    await stream.count(3);
    stream.send({ modifyDeadlineAckIds: stream.ackIds().slice(0, 1), modifyDeadlineSeconds: [0] });
    await stream.count(6);
    expect(stream.texts()).toEqual(['1', '2', '3', '1', '2', '3']);
    stream.send({ ackIds: stream.ackIds().slice(3) });
    await allAcknowledged();
  });
});

describe('a stream ends', () => {
  const INVALID_ARGUMENT = 3;
  const NOT_FOUND = 5;
  const FAILED_PRECONDITION = 9;

  it('when its first request is wrong', async () => {
    test = await startWithTopics();
    await test.subscribe();
    expect(await open({ subscription: `${SUBSCRIPTION}-not` }).failed()).toBe(NOT_FOUND);
    expect(await open({ streamAckDeadlineSeconds: 9 }).failed()).toBe(INVALID_ARGUMENT);
    expect(await open({ streamAckDeadlineSeconds: 601 }).failed()).toBe(INVALID_ARGUMENT);
  });

  it.each([
    ['names the subscription again', { subscription: SUBSCRIPTION }],
    ['changes the flow control', { maxOutstandingMessages: 5 }],
    ['carries a malformed ack id', { ackIds: ['???'] }],
    ['has fewer deadlines than ids', { modifyDeadlineAckIds: ['MTox'] }],
    ['has a negative deadline', { modifyDeadlineAckIds: ['MTox'], modifyDeadlineSeconds: [-1] }],
  ])('when a later request %s', async (_, request) => {
    test = await startWithTopics();
    await test.subscribe();
    const stream = open();
    stream.send(request);
    expect(await stream.failed()).toBe(INVALID_ARGUMENT);
  });

  it('when its subscription is deleted, detached or turned to push', async () => {
    test = await startWithTopics();
    const { subscriber, publisher } = test.google;
    await test.subscribe();
    await test.publish('held');
    const toPush = open();
    await toPush.count(1);
    const pushConfig = { pushEndpoint: `${test.target.url}/push` };
    await subscriber.modifyPushConfig({ subscription: SUBSCRIPTION, pushConfig });
    expect(await toPush.failed()).toBe(FAILED_PRECONDITION);
    expect(await open().failed()).toBe(FAILED_PRECONDITION);
    await subscriber.modifyPushConfig({ subscription: SUBSCRIPTION, pushConfig: {} });

    const toDetach = open();
    await moment();
    await publisher.detachSubscription({ subscription: SUBSCRIPTION });
    expect(await toDetach.failed()).toBe(FAILED_PRECONDITION);
    expect(test.cloud.pubsub.outstanding()).toEqual([]);
    const [detached] = await subscriber.getSubscription({ subscription: SUBSCRIPTION });
    expect(detached.detached).toBe(true);
    const [attached] = await publisher.listTopicSubscriptions({ topic: TOPIC });
    expect(attached).toEqual([]);
    await expect(test.pull()).rejects.toMatchObject({ code: FAILED_PRECONDITION });

    await subscriber.deleteSubscription({ subscription: SUBSCRIPTION });
    await test.subscribe();
    const toDelete = open();
    await moment();
    await subscriber.deleteSubscription({ subscription: SUBSCRIPTION });
    expect(await toDelete.failed()).toBe(NOT_FOUND);
  });
});

describe("Google's subscriber client", () => {
  it('receives, refuses and acknowledges over several streams, in order by key', async () => {
    test = await startWithTopics();
    await test.subscribe({ enableMessageOrdering: true });
    const client = new PubSub({
      projectId: PROJECT,
      apiEndpoint: `127.0.0.1:${test.cloud.port}`,
      sslCreds: credentials.createInsecure(),
    });
    const seen: string[] = [];
    let refusals = 0;
    const subscription = client.subscription('reader', { flowControl: { maxMessages: 5 } });
    subscription.on('message', (message: Message) => {
      const text = message.data.toString();
      if (text === '3' && refusals++ === 0) return message.nack();
      seen.push(text);
      message.ack();
    });
    const texts = Array.from({ length: 20 }, (_, index) => `${index}`);
    await publishMany(texts, 'k');
    await allAcknowledged();
    expect(seen.slice(0, 3)).toEqual(['0', '1', '2']);
    expect(seen.slice(-17)).toEqual(texts.slice(3));
    await subscription.close();
    await client.close();
  });
});
