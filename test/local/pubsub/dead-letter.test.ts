import { afterEach, describe, expect, it } from 'vitest';

import { PROJECT } from '../support/cloud.ts';
import {
  DEAD_LETTERS,
  type PubsubTest,
  startWithTopics,
  subscription,
  SUBSCRIPTION,
} from './support.ts';

let test: PubsubTest;
afterEach(() => test.stop());

const deadLetterPolicy = { deadLetterTopic: DEAD_LETTERS, maxDeliveryAttempts: 5 };
const MORGUE = subscription('morgue');

describe('a message that keeps failing', () => {
  it('is moved to the dead-letter topic after its last attempt, with where it comes from', async () => {
    test = await startWithTopics(() => 500);
    await test.subscribePush({ deadLetterPolicy, retryPolicy: {} });
    await test.subscribe({ name: MORGUE, topic: DEAD_LETTERS });
    const publishTime = new Date(test.clock.nowMs()).toISOString();
    await test.publish('poison', { attributes: { event_type: 'x' } });
    await test.cloud.idle();
    for (const waitS of [10, 20, 40, 80]) await test.pass(waitS * 1000);
    expect(test.bodies().map((body) => body.deliveryAttempt)).toEqual([1, 2, 3, 4, 5]);
    expect(test.cloud.pubsub.outstanding(SUBSCRIPTION)).toEqual([]);
    const [dead] = await test.pull(MORGUE);
    expect(dead?.message?.data?.toString()).toBe('poison');
    expect(dead?.message?.attributes).toEqual({
      event_type: 'x',
      CloudPubSubDeadLetterSourceDeliveryCount: '5',
      CloudPubSubDeadLetterSourceSubscription: 'reader',
      CloudPubSubDeadLetterSourceSubscriptionProject: PROJECT,
      CloudPubSubDeadLetterSourceTopicPublishTime: publishTime,
    });
  });

  it('does not hold up the next of its ordering key for ever', async () => {
    test = await startWithTopics((request) => (request.body.includes('"attributes"') ? 500 : 200));
    await test.subscribePush({ deadLetterPolicy, enableMessageOrdering: true });
    await test.publish('poison', { orderingKey: 'k', attributes: { bad: 'yes' } });
    await test.publish('good', { orderingKey: 'k' });
    await test.cloud.idle();
    for (const waitMs of [100, 200, 400, 800]) await test.pass(waitMs);
    expect(test.texts().at(-1)).toBe('good');
    expect(test.cloud.pubsub.outstanding()).toEqual([]);
  });

  it('stays with its subscription while the dead-letter topic is missing', async () => {
    test = await startWithTopics(() => 500);
    await test.subscribePush({ deadLetterPolicy });
    await test.google.publisher.deleteTopic({ topic: DEAD_LETTERS });
    await test.publish('poison');
    await test.cloud.idle();
    for (let attempt = 1; attempt < 8; attempt++) await test.pass(50 * 2 ** attempt);
    expect(test.target.requests).toHaveLength(8);
    expect(test.cloud.pubsub.outstanding()).toHaveLength(1);
  });

  it('is moved too when it is pulled and never acknowledged', async () => {
    test = await startWithTopics();
    await test.subscribe({ deadLetterPolicy });
    await test.subscribe({ name: MORGUE, topic: DEAD_LETTERS });
    await test.publish('poison');
    for (let attempt = 1; attempt <= 5; attempt++) {
      expect((await test.pull())[0]?.deliveryAttempt).toBe(attempt);
      await test.pass(10_000);
    }
    expect(await test.pull()).toEqual([]);
    expect(await test.pull(MORGUE)).toHaveLength(1);
  });
});

describe('a dead-letter policy', () => {
  it('needs an existing topic and 5 to 100 attempts', async () => {
    test = await startWithTopics();
    const missing = { deadLetterTopic: `${DEAD_LETTERS}-not`, maxDeliveryAttempts: 5 };
    await expect(test.subscribe({ deadLetterPolicy: missing })).rejects.toMatchObject({ code: 5 });
    const tooFew = { deadLetterTopic: DEAD_LETTERS, maxDeliveryAttempts: 4 };
    await expect(test.subscribe({ deadLetterPolicy: tooFew })).rejects.toMatchObject({ code: 3 });
  });
});
