import { afterAll, beforeAll, describe, expect, it } from 'vitest';

import { type PubsubTest, startWithTopics, subscription, TOPIC } from './support.ts';

let test: PubsubTest;
beforeAll(async () => {
  test = await startWithTopics();
});
afterAll(() => test.stop());

const INVALID_ARGUMENT = { code: 3 };
const topicNamed = (id: string) => TOPIC.replace('events', id);

describe('an id', () => {
  it.each([
    ['of two characters', 'ab'],
    ['of 256 characters', 'a'.repeat(256)],
    ['that starts with a digit', '1abc'],
    ['that starts with goog', 'google'],
    ['with a space', 'a b c'],
    ['with an umlaut', 'größe'],
  ])('%s is refused', async (_, id) => {
    const { publisher } = test.google;
    await expect(publisher.createTopic({ name: topicNamed(id) })).rejects.toMatchObject(
      INVALID_ARGUMENT,
    );
    await expect(test.subscribe({ name: subscription(id) })).rejects.toMatchObject(
      INVALID_ARGUMENT,
    );
  });

  it.each(['abc', 'a'.repeat(255), 'A-b_c.d~e+f%g1'])('%s is taken', async (id) => {
    await test.google.publisher.createTopic({ name: topicNamed(id) });
    expect((await test.subscribe({ name: subscription(id) })).name).toBe(subscription(id));
  });
});

describe('a message', () => {
  const attributes = (count: number) =>
    Object.fromEntries(Array.from({ length: count }, (_, index) => [`k${index}`, 'v']));

  it.each([
    ['without data and attributes', '', {}],
    ['with 101 attributes', 'x', { attributes: attributes(101) }],
    ['with an attribute key of 257 bytes', 'x', { attributes: { ['ä'.repeat(128) + 'x']: '' } }],
    ['with an attribute value of 1,025 bytes', 'x', { attributes: { a: 'x'.repeat(1025) } }],
    ['with an attribute key that starts with goog', 'x', { attributes: { googclient: 'x' } }],
    ['with an ordering key of 1,025 bytes', 'x', { orderingKey: 'x'.repeat(1025) }],
    ['of more than 10 MB', 'x'.repeat(10_000_001), {}],
    [
      'that is more than 10 MB with its attributes',
      'x'.repeat(9_999_999),
      { attributes: { a: 'b' } },
    ],
  ])('%s is refused', async (_, text, rest) => {
    await expect(test.publish(text, rest)).rejects.toMatchObject(INVALID_ARGUMENT);
  });

  it.each([
    ['of attributes alone', '', { attributes: { a: '' } }],
    ['with 100 attributes', 'x', { attributes: attributes(100) }],
    ['with the longest attribute', 'x', { attributes: { ['x'.repeat(256)]: 'x'.repeat(1024) } }],
    ['with the longest ordering key', 'x', { orderingKey: 'x'.repeat(1024) }],
    ['of 10 MB', 'x'.repeat(10_000_000), {}],
  ])('%s is taken', async (_, text, rest) => {
    expect(await test.publish(text, rest)).not.toBe('');
  });

  it('is refused with all others of its request when one is wrong or there are more than 1,000', async () => {
    const { publisher } = test.google;
    const good = { data: Buffer.from('x') };
    for (const messages of [[good, {}], Array.from({ length: 1001 }, () => good), []])
      await expect(publisher.publish({ topic: TOPIC, messages })).rejects.toMatchObject(
        INVALID_ARGUMENT,
      );
    const messages = Array.from({ length: 1000 }, () => good);
    expect((await publisher.publish({ topic: TOPIC, messages }))[0].messageIds).toHaveLength(1000);
  });
});

describe('the new deadline of a message', () => {
  it.each([601, -1])('is refused at %d s', async (ackDeadlineSeconds) => {
    const name = subscription('deadlines');
    await test.subscribe({ name }).catch(() => undefined);
    await test.publish('x');
    const [received] = await test.pull(name);
    const ackIds = [received?.ackId ?? ''];
    const modify = test.google.subscriber.modifyAckDeadline({
      subscription: name,
      ackIds,
      ackDeadlineSeconds,
    });
    await expect(modify).rejects.toMatchObject(INVALID_ARGUMENT);
  });
});

describe('a subscription', () => {
  it.each([
    ['an ack deadline under 10 s', { ackDeadlineSeconds: 9 }],
    ['an ack deadline over 600 s', { ackDeadlineSeconds: 601 }],
    ['a retention under 10 min', { messageRetentionDuration: { seconds: 599 } }],
    ['a retention over 31 days', { messageRetentionDuration: { seconds: 31 * 86_400 + 1 } }],
    ['a back-off over 600 s', { retryPolicy: { maximumBackoff: { seconds: 601 } } }],
    [
      'fewer than 5 attempts',
      { deadLetterPolicy: { deadLetterTopic: TOPIC, maxDeliveryAttempts: 4 } },
    ],
    [
      'more than 100 attempts',
      { deadLetterPolicy: { deadLetterTopic: TOPIC, maxDeliveryAttempts: 101 } },
    ],
    ['a filter that is none', { filter: 'nonsense' }],
    ['a push endpoint that is none', { pushConfig: { pushEndpoint: 'ftp://example.com' } }],
  ])('with %s is refused', async (_, settings) => {
    await expect(test.subscribe(settings)).rejects.toMatchObject(INVALID_ARGUMENT);
  });
});

describe('an Avro schema', () => {
  it('is checked, made once, shown and deleted', async () => {
    const { v1 } = await import('@google-cloud/pubsub');
    const { credentials } = await import('@grpc/grpc-js');
    const schemas = new v1.SchemaServiceClient({
      apiEndpoint: '127.0.0.1',
      port: test.cloud.port,
      sslCreds: credentials.createInsecure(),
    });
    const parent = 'projects/purvey-test';
    const definition = JSON.stringify({
      type: 'record',
      name: 'Bid',
      fields: [{ name: 'price', type: ['null', 'double'] }],
    });
    const create = (text: string, type: 'AVRO' | 'PROTOCOL_BUFFER' = 'AVRO') =>
      schemas.createSchema({ parent, schemaId: 'bid', schema: { type, definition: text } });
    await expect(create('{"not":"avro"}')).rejects.toMatchObject(INVALID_ARGUMENT);
    await expect(create(definition.replace('double', 'dubble'))).rejects.toMatchObject(
      INVALID_ARGUMENT,
    );
    await expect(create(definition, 'PROTOCOL_BUFFER')).rejects.toMatchObject({ code: 12 });
    await create(definition);
    await expect(create(definition)).rejects.toMatchObject({ code: 6 });
    const name = `${parent}/schemas/bid`;
    expect((await schemas.getSchema({ name }))[0].definition).toBe(definition);
    expect((await schemas.listSchemas({ parent }))[0][0]?.definition).toBe('');
    await schemas.deleteSchema({ name });
    await expect(schemas.getSchema({ name })).rejects.toMatchObject({ code: 5 });
    await schemas.close();
  });
});
