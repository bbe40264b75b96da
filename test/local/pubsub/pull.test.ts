import { afterEach, describe, expect, it } from 'vitest';

import { type PubsubTest, startWithTopics, SUBSCRIPTION } from './support.ts';

let test: PubsubTest;
afterEach(() => test.stop());

const ackIdsOf = (received: Awaited<ReturnType<PubsubTest['pull']>>) =>
  received.map(({ ackId }) => ackId ?? '');

const textsOf = (received: Awaited<ReturnType<PubsubTest['pull']>>) =>
  received.map(({ message }) => message?.data?.toString());

describe('a pulled message', () => {
  it('is gone once acknowledged', async () => {
    test = await startWithTopics();
    await test.subscribe();
    const id = await test.publish('hello', { attributes: { a: '1' } });
    const received = await test.pull();
    expect(received[0]?.message).toMatchObject({ messageId: id, attributes: { a: '1' } });
    expect(received[0]?.message?.data?.toString()).toBe('hello');
    await test.google.subscriber.acknowledge({
      subscription: SUBSCRIPTION,
      ackIds: ackIdsOf(received),
    });
    await test.pass(600_000);
    expect(await test.pull()).toEqual([]);
  });

  it('is back when its deadline passes', async () => {
    test = await startWithTopics();
    await test.subscribe();
    await test.publish('hello');
    await test.pull();
    await test.pass(9999);
    expect(await test.pull()).toEqual([]);
    await test.pass(1);
    expect(await test.pull()).toHaveLength(1);
  });

  it('stays away longer when its deadline is extended, and is back at once when refused', async () => {
    test = await startWithTopics();
    await test.subscribe();
    await test.publish('hello');
    const ackIds = ackIdsOf(await test.pull());
    const modify = (ackDeadlineSeconds: number) =>
      test.google.subscriber.modifyAckDeadline({
        subscription: SUBSCRIPTION,
        ackIds,
        ackDeadlineSeconds,
      });
    await modify(60);
    await test.pass(59_999);
    expect(await test.pull()).toEqual([]);
    await modify(0);
    expect(await test.pull()).toHaveLength(1);
  });

  it('waits out the retry policy when refused', async () => {
    test = await startWithTopics();
    await test.subscribe({ retryPolicy: { minimumBackoff: { seconds: 20 } } });
    await test.publish('hello');
    await test.pull();
    await test.pass(10_000 + 19_999);
    expect(await test.pull()).toEqual([]);
    await test.pass(1);
    expect(await test.pull()).toHaveLength(1);
  });

  it('is dropped when it has waited as long as messages are retained', async () => {
    test = await startWithTopics();
    await test.subscribe({ messageRetentionDuration: { seconds: 600 } });
    await test.publish('stale');
    await test.pass(599_999);
    await test.publish('fresh');
    await test.pass(1);
    expect(textsOf(await test.pull())).toEqual(['fresh']);
  });
});

describe('the messages of one ordering key', () => {
  const acknowledge = (received: Awaited<ReturnType<PubsubTest['pull']>>) =>
    test.google.subscriber.acknowledge({ subscription: SUBSCRIPTION, ackIds: ackIdsOf(received) });

  it('come together, and no more of them before those are acknowledged', async () => {
    test = await startWithTopics();
    await test.subscribe({ enableMessageOrdering: true });
    for (const text of ['1', '2', '3']) await test.publish(text, { orderingKey: 'k' });
    const first = await test.pull(SUBSCRIPTION, 2);
    expect(textsOf(first)).toEqual(['1', '2']);
    expect(await test.pull()).toEqual([]);
    await acknowledge(first.slice(0, 1));
    expect(await test.pull()).toEqual([]);
    await acknowledge(first.slice(1));
    expect(textsOf(await test.pull())).toEqual(['3']);
  });

  it('come again with the one that is refused, in order, even those acknowledged', async () => {
    test = await startWithTopics();
    await test.subscribe({ enableMessageOrdering: true });
    for (const text of ['1', '2', '3']) await test.publish(text, { orderingKey: 'k' });
    const delivered = await test.pull();
    const [, two, three] = ackIdsOf(delivered);
    await acknowledge(delivered.slice(0, 1));
    await acknowledge(delivered.slice(2));
    const refused = { subscription: SUBSCRIPTION, ackIds: [two ?? ''], ackDeadlineSeconds: 0 };
    await test.google.subscriber.modifyAckDeadline(refused);
    // Its ack id belongs to a delivery that counts no more.
    const ackIds = [three ?? ''];
    await test.google.subscriber.acknowledge({ subscription: SUBSCRIPTION, ackIds });
    const again = await test.pull();
    expect(textsOf(again)).toEqual(['2', '3']);
    await acknowledge(again.toReversed());
    expect(test.cloud.pubsub.outstanding()).toEqual([]);
  });
});
