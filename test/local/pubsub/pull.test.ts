import { afterEach, describe, expect, it } from 'vitest';

import { type PubsubTest, startWithTopics, SUBSCRIPTION } from './support.ts';

let test: PubsubTest;
afterEach(() => test.stop());

const ackIdsOf = (received: Awaited<ReturnType<PubsubTest['pull']>>) =>
  received.map(({ ackId }) => ackId ?? '');

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

  it('follows the one before it of its ordering key', async () => {
    test = await startWithTopics();
    await test.subscribe({ enableMessageOrdering: true });
    await test.publish('1', { orderingKey: 'k' });
    await test.publish('2', { orderingKey: 'k' });
    const first = await test.pull();
    expect(first.map(({ message }) => message?.data?.toString())).toEqual(['1']);
    await test.google.subscriber.acknowledge({
      subscription: SUBSCRIPTION,
      ackIds: ackIdsOf(first),
    });
    const second = await test.pull();
    expect(second.map(({ message }) => message?.data?.toString())).toEqual(['2']);
  });
});
