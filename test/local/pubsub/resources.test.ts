import { PubSub } from '@google-cloud/pubsub';
import { credentials } from '@grpc/grpc-js';
import { afterEach, describe, expect, it } from 'vitest';

import { PROJECT, temporaryFile } from '../support/cloud.ts';
import { type PubsubTest, startWithTopics, SUBSCRIPTION, subscription, TOPIC } from './support.ts';

let test: PubsubTest;
afterEach(() => test.stop());

describe('topics and subscriptions', () => {
  it('are made once, found, listed and deleted', async () => {
    test = await startWithTopics();
    const { publisher, subscriber } = test.google;
    await expect(publisher.createTopic({ name: TOPIC })).rejects.toMatchObject({ code: 6 });
    await expect(publisher.createTopic({ name: `${TOPIC}/x` })).rejects.toMatchObject({ code: 3 });
    await test.subscribe();
    await expect(test.subscribe()).rejects.toMatchObject({ code: 6 });
    const [topics] = await publisher.listTopics({ project: `projects/${PROJECT}` });
    expect(topics).toHaveLength(2);
    const [names] = await publisher.listTopicSubscriptions({ topic: TOPIC });
    expect(names).toEqual([SUBSCRIPTION]);
    await publisher.deleteTopic({ topic: TOPIC });
    await expect(publisher.getTopic({ topic: TOPIC })).rejects.toMatchObject({ code: 5 });
    const [orphan] = await subscriber.getSubscription({ subscription: SUBSCRIPTION });
    expect(orphan.topic).toBe('_deleted-topic_');
    await subscriber.deleteSubscription({ subscription: SUBSCRIPTION });
    const [left] = await subscriber.listSubscriptions({ project: `projects/${PROJECT}` });
    expect(left).toEqual([]);
  });

  it('change only what an update names', async () => {
    test = await startWithTopics();
    await test.subscribePush({ ackDeadlineSeconds: 20 });
    const [updated] = await test.google.subscriber.updateSubscription({
      subscription: { name: SUBSCRIPTION, ackDeadlineSeconds: 60 },
      updateMask: { paths: ['ack_deadline_seconds'] },
    });
    expect(updated.ackDeadlineSeconds).toBe(60);
    expect(updated.pushConfig?.pushEndpoint).toBe(`${test.target.url}/push`);
  });

  it('can turn from pull to push, which delivers what waited', async () => {
    test = await startWithTopics();
    await test.subscribe();
    await test.publish('waited');
    await test.google.subscriber.modifyPushConfig({
      subscription: SUBSCRIPTION,
      pushConfig: { pushEndpoint: `${test.target.url}/late` },
    });
    await test.cloud.idle();
    expect(test.texts()).toEqual(['waited']);
  });

  it('refuse what would be ignored', async () => {
    test = await startWithTopics();
    const exactlyOnce = test.subscribe({ enableExactlyOnceDelivery: true });
    await expect(exactlyOnce).rejects.toMatchObject({ code: 12 });
  });
});

describe('publishing', () => {
  it('works with the high-level client, which batches', async () => {
    test = await startWithTopics();
    await test.subscribePush();
    const client = new PubSub({
      projectId: PROJECT,
      apiEndpoint: `127.0.0.1:${test.cloud.port}`,
      sslCreds: credentials.createInsecure(),
    });
    const topic = client.topic('events');
    const texts = ['a', 'b', 'c'];
    const ids = await Promise.all(
      texts.map((text) => topic.publishMessage({ data: Buffer.from(text) })),
    );
    expect(new Set(ids).size).toBe(3);
    expect(test.cloud.meter.read().rpcs['Publish']).toBe(1);
    await test.cloud.idle();
    expect(test.texts().sort()).toEqual(texts);
    await client.close();
  });

  it('refuses an empty message and an unknown topic', async () => {
    test = await startWithTopics();
    await expect(test.publish('')).rejects.toMatchObject({ code: 3 });
    const topic = `${TOPIC}-not`;
    const messages = [{ data: Buffer.from('x') }];
    await expect(test.google.publisher.publish({ topic, messages })).rejects.toMatchObject({
      code: 5,
    });
  });
});

describe('after a restart', () => {
  it('unacknowledged messages survive', async () => {
    test = await startWithTopics(undefined, { file: temporaryFile() });
    await test.subscribe();
    const id = await test.publish('kept', { attributes: { a: '1' }, orderingKey: 'k' });
    const [leased] = await test.pull();
    await test.restart();
    await test.pass(10_000);
    const [again] = await test.pull();
    expect(again?.message).toMatchObject({
      messageId: id,
      attributes: { a: '1' },
      orderingKey: 'k',
    });
    expect(again?.ackId).not.toBe(leased?.ackId);
  });

  it('a push is made again at its time and counts on', async () => {
    const react = (_: unknown, nth: number) => (nth === 1 ? 500 : 200);
    test = await startWithTopics(react, { file: temporaryFile() });
    const deadLetterPolicy = { deadLetterTopic: TOPIC };
    await test.subscribePush({ retryPolicy: {}, deadLetterPolicy });
    await test.publish('kept');
    await test.cloud.idle();
    await test.restart();
    await test.pass(9999);
    expect(test.target.requests).toHaveLength(1);
    await test.pass(1);
    expect(test.bodies().map((body) => body.deliveryAttempt)).toEqual([1, 2]);
  });

  it('ids do not repeat and ordering holds', async () => {
    const file = temporaryFile();
    const react = ({ path }: { path: string }) => (path === '/bad' ? 500 : 200);
    test = await startWithTopics(react, { file });
    await test.subscribePush({ enableMessageOrdering: true, retryPolicy: {} }, '/bad');
    const before = await test.publish('1', { orderingKey: 'k' });
    await test.publish('2', { orderingKey: 'k' });
    await test.cloud.idle();
    await test.restart();
    expect(Number(await test.publish('3', { orderingKey: 'k' }))).toBeGreaterThan(Number(before));
    await test.google.subscriber.modifyPushConfig({
      subscription: SUBSCRIPTION,
      pushConfig: { pushEndpoint: `${test.target.url}/good` },
    });
    await test.pass(10_000);
    expect(test.texts().slice(-3)).toEqual(['1', '2', '3']);
  });

  it('deleted subscriptions stay deleted', async () => {
    test = await startWithTopics(undefined, { file: temporaryFile() });
    await test.subscribe({ name: subscription('gone') });
    await test.publish('lost');
    await test.google.subscriber.deleteSubscription({ subscription: subscription('gone') });
    await test.restart();
    expect(test.cloud.pubsub.outstanding()).toEqual([]);
  });
});
