/*
 * Pub/Sub (google.pubsub.v1): Publisher and Subscriber, with push delivery and pull.
 *
 * Not imitated, answers UNIMPLEMENTED: StreamingPull, Seek and snapshots, UpdateTopic,
 * DetachSubscription, schemas, IAM policies; subscriptions with exactly-once delivery, retained
 * acknowledged messages, BigQuery, Cloud Storage or Bigtable export, message transforms or an unwrapped
 * push body.
 * Differs: a push subscription has 100 requests in flight from the start (no slow start); without a
 * retry policy back-off is per message, not per subscription; Pull never waits; of an ordering key one
 * message is out at a time, also on pull; subscriptions never expire.
 */
import { untilQuiet } from '../kernel/activity.ts';
import type { Service } from '../kernel/grpc.ts';
import { acknowledge } from './acknowledge.ts';
import { createSubscription } from './create-subscription.ts';
import { createTopic } from './create-topic.ts';
import { deleteSubscription } from './delete-subscription.ts';
import { deleteTopic } from './delete-topic.ts';
import { modifyAckDeadline } from './modify-ack-deadline.ts';
import { publish } from './publish.ts';
import { pull } from './pull.ts';
import { getSubscription, listSubscriptions } from './read-subscriptions.ts';
import { getTopic, listTopics, listTopicSubscriptions } from './read-topics.ts';
import { PubsubState, type StateParts } from './state.ts';
import type { Outstanding } from './subscription.ts';
import { modifyPushConfig, updateSubscription } from './update-subscription.ts';

export interface Pubsub {
  readonly services: Service[];
  /** Something is in flight or due now. */
  isBusy(): boolean;
  /** Resolves when only future-dated work is left. */
  idle(): Promise<void>;
  /** The unacknowledged messages of one subscription or of all. */
  outstanding(
    subscriptionName?: string,
  ): readonly Readonly<Pick<Outstanding, 'message' | 'attempts' | 'dueMs'>>[];
  close(): void;
}

export function createPubsub(parts: StateParts): Pubsub {
  const state = new PubsubState(parts);
  const isBusy = () => [...state.subscriptions.values()].some((each) => each.isBusy);
  return {
    services: [
      {
        package: '@google-cloud/pubsub',
        name: 'google.pubsub.v1.Publisher',
        unary: {
          CreateTopic: createTopic(state),
          GetTopic: getTopic(state),
          ListTopics: listTopics(state),
          ListTopicSubscriptions: listTopicSubscriptions(state),
          DeleteTopic: deleteTopic(state),
          Publish: publish(state),
        },
      },
      {
        package: '@google-cloud/pubsub',
        name: 'google.pubsub.v1.Subscriber',
        unary: {
          CreateSubscription: createSubscription(state),
          GetSubscription: getSubscription(state),
          UpdateSubscription: updateSubscription(state),
          ModifyPushConfig: modifyPushConfig(state),
          ListSubscriptions: listSubscriptions(state),
          DeleteSubscription: deleteSubscription(state),
          Pull: pull(state),
          Acknowledge: acknowledge(state),
          ModifyAckDeadline: modifyAckDeadline(state),
        },
      },
    ],
    isBusy,
    idle: () => untilQuiet(isBusy),
    outstanding: (name) =>
      [...state.subscriptions.values()]
        .filter((each) => name === undefined || each.settings.name === name)
        .flatMap((each) => [...each.outstanding.values()]),
    close: () => state.close(),
  };
}
