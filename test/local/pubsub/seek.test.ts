import { afterEach, describe, expect, it } from 'vitest';

import { PROJECT, temporaryFile } from '../support/cloud.ts';
import { type PubsubTest, startWithTopics, SUBSCRIPTION, subscription, TOPIC } from './support.ts';

let test: PubsubTest;
afterEach(() => test.stop());

const MINUTE_MS = 60_000;
const SNAPSHOT = `projects/${PROJECT}/snapshots/before-deploy`;

const texts = async (name = SUBSCRIPTION) =>
  (await test.pull(name)).map(({ message }) => message?.data?.toString());
const acknowledgeAll = async (name = SUBSCRIPTION) => {
  const ackIds = (await test.pull(name)).map(({ ackId }) => ackId ?? '');
  await test.google.subscriber.acknowledge({ subscription: name, ackIds });
  return ackIds;
};
const seekTo = (ms: number, name = SUBSCRIPTION) =>
  test.google.subscriber.seek({ subscription: name, time: { seconds: ms / 1000 } });
/** Publishes a, b and c, a minute apart; returns when. */
async function publishThree() {
  const times = [];
  for (const text of ['a', 'b', 'c']) {
    times.push(test.clock.nowMs());
    await test.publish(text);
    await test.pass(MINUTE_MS);
  }
  return times as [number, number, number];
}

describe('a seek to a time', () => {
  it('ahead acknowledges everything', async () => {
    test = await startWithTopics();
    await test.subscribe();
    await publishThree();
    await seekTo(test.clock.nowMs() + 1000 * MINUTE_MS);
    expect(test.cloud.pubsub.outstanding()).toEqual([]);
    await test.publish('later');
    expect(await texts()).toEqual(['later']);
  });

  it('acknowledges what is older and delivers the rest again, whatever its lease', async () => {
    test = await startWithTopics();
    await test.subscribe();
    const [, b] = await publishThree();
    const leased = await test.pull();
    await seekTo(b);
    expect(await texts()).toEqual(['b', 'c']);
    // Acknowledgements of deliveries before the seek mean nothing any more.
    const ackIds = leased.map(({ ackId }) => ackId ?? '');
    await test.google.subscriber.acknowledge({ subscription: SUBSCRIPTION, ackIds });
    expect(test.cloud.pubsub.outstanding()).toHaveLength(2);
  });

  it('brings acknowledged messages back only if they are retained', async () => {
    test = await startWithTopics();
    await test.subscribe();
    await test.subscribe({ name: subscription('keeper'), retainAckedMessages: true });
    const [a, b] = await publishThree();
    await acknowledgeAll();
    await acknowledgeAll(subscription('keeper'));
    await seekTo(a);
    await seekTo(b, subscription('keeper'));
    expect(await texts()).toEqual([]);
    expect(await texts(subscription('keeper'))).toEqual(['b', 'c']);
  });

  it('reaches as far back as the topic retains, even before the subscription was made', async () => {
    test = await startWithTopics();
    await test.google.publisher.updateTopic({
      topic: { name: TOPIC, messageRetentionDuration: { seconds: 600 } },
      updateMask: { paths: ['message_retention_duration'] },
    });
    const [a] = await publishThree();
    await test.subscribe();
    await seekTo(a);
    expect(await texts()).toEqual(['a', 'b', 'c']);
    await test.pass(8 * MINUTE_MS);
    await acknowledgeAll();
    await seekTo(a);
    expect(await texts()).toEqual(['c']);
  });

  it('outlives a restart', async () => {
    test = await startWithTopics(undefined, { file: temporaryFile() });
    await test.subscribe({ retainAckedMessages: true });
    const [a] = await publishThree();
    const [stale = ''] = await acknowledgeAll();
    await test.restart();
    await seekTo(a);
    await test.restart();
    await test.google.subscriber.acknowledge({ subscription: SUBSCRIPTION, ackIds: [stale] });
    expect(await texts()).toEqual(['a', 'b', 'c']);
  });
});

describe('a snapshot', () => {
  const take = () =>
    test.google.subscriber.createSnapshot({ name: SNAPSHOT, subscription: SUBSCRIPTION });
  const seek = (name = SUBSCRIPTION) =>
    test.google.subscriber.seek({ subscription: name, snapshot: SNAPSHOT });

  it('brings back what was unacknowledged and what came since', async () => {
    test = await startWithTopics(undefined, { file: temporaryFile() });
    await test.subscribe();
    await test.publish('done before');
    await acknowledgeAll();
    await test.publish('open before');
    await take();
    await acknowledgeAll();
    await test.publish('since');
    await acknowledgeAll();
    expect(test.cloud.pubsub.outstanding()).toEqual([]);
    await test.restart();
    await seek();
    expect(await texts()).toEqual(['open before', 'since']);
  });

  it('serves another subscription of its topic, and none of another', async () => {
    test = await startWithTopics();
    await test.subscribe();
    await test.publish('shared');
    await take();
    await test.subscribe({ name: subscription('other') });
    await seek(subscription('other'));
    expect(await texts(subscription('other'))).toEqual(['shared']);
    await test.subscribe({
      name: subscription('stranger'),
      topic: `${TOPIC.slice(0, -6)}dead-letters`,
    });
    await expect(seek(subscription('stranger'))).rejects.toMatchObject({ code: 3 });
  });

  it('is made once, listed, expires after seven days and can be deleted', async () => {
    test = await startWithTopics();
    await test.subscribe();
    const [made] = await take();
    expect(Number(made.expireTime?.seconds) * 1000).toBe(test.clock.nowMs() + 7 * 86_400_000);
    await expect(take()).rejects.toMatchObject({ code: 6 });
    const list = async () =>
      (await test.google.subscriber.listSnapshots({ project: `projects/${PROJECT}` }))[0];
    expect((await list()).map(({ name }) => name)).toEqual([SNAPSHOT]);
    await test.google.subscriber.deleteSnapshot({ snapshot: SNAPSHOT });
    expect(await list()).toEqual([]);
    await take();
    await test.pass(7 * 86_400_000);
    expect(await list()).toEqual([]);
    await expect(seek()).rejects.toMatchObject({ code: 5 });
  });
});

describe('what nobody can seek back to', () => {
  it('is not kept', async () => {
    test = await startWithTopics(undefined, { file: temporaryFile() });
    await test.subscribe({ retainAckedMessages: true });
    await test.publish('kept');
    await acknowledgeAll();
    const stored = () => test.cloud.journal.table('pubsub.messages').load();
    await test.cloud.journal.flushed();
    expect(stored()).toHaveLength(1);
    await test.google.subscriber.updateSubscription({
      subscription: { name: SUBSCRIPTION, retainAckedMessages: false },
      updateMask: { paths: ['retain_acked_messages'] },
    });
    expect(stored()).toHaveLength(0);
  });
});
