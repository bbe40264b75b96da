import type { protos } from '@google-cloud/pubsub';

import { PROJECT, startTestCloud } from '../support/cloud.ts';

type Subscription = protos.google.pubsub.v1.ISubscription;
type Message = protos.google.pubsub.v1.IPubsubMessage;

export const TOPIC = `projects/${PROJECT}/topics/events`;
export const DEAD_LETTERS = `projects/${PROJECT}/topics/dead-letters`;
export const subscription = (id: string): string => `projects/${PROJECT}/subscriptions/${id}`;
export const SUBSCRIPTION = subscription('reader');

/** What a push carries. */
interface PushBody {
  readonly message: {
    readonly data: string;
    readonly messageId: string;
    readonly attributes?: Record<string, string>;
    readonly orderingKey?: string;
    readonly publishTime: string;
  };
  readonly subscription: string;
  readonly deliveryAttempt?: number;
}

/** A test cloud with two topics. */
export async function startWithTopics(
  react?: Parameters<typeof startTestCloud>[0],
  options?: Parameters<typeof startTestCloud>[1],
) {
  const test = await startTestCloud(react, options);
  await test.google.publisher.createTopic({ name: TOPIC });
  await test.google.publisher.createTopic({ name: DEAD_LETTERS });
  return Object.assign(test, {
    async subscribe(settings: Subscription = {}) {
      const [made] = await test.google.subscriber.createSubscription({
        name: SUBSCRIPTION,
        topic: TOPIC,
        ...settings,
      });
      return made;
    },
    /** A subscription that pushes to the target. */
    subscribePush(settings: Subscription = {}, path = '/push') {
      const pushEndpoint = `${test.target.url}${path}`;
      return this.subscribe({ ...settings, pushConfig: { pushEndpoint, ...settings.pushConfig } });
    },
    async publish(text: string, rest: Message = {}) {
      const message = { data: Buffer.from(text), ...rest };
      const [answer] = await test.google.publisher.publish({ topic: TOPIC, messages: [message] });
      return answer.messageIds?.[0] ?? '';
    },
    async pull(name = SUBSCRIPTION, maxMessages = 100) {
      const [answer] = await test.google.subscriber.pull({ subscription: name, maxMessages });
      return answer.receivedMessages ?? [];
    },
    bodies: () => test.target.requests.map((request) => JSON.parse(request.body) as PushBody),
    texts(): string[] {
      return this.bodies().map(({ message }) => Buffer.from(message.data, 'base64').toString());
    },
  });
}

export type PubsubTest = Awaited<ReturnType<typeof startWithTopics>>;
