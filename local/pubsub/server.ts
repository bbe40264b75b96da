/*
 * Pub/Sub (google.pubsub.v1): Publisher, Subscriber and SchemaService, with push, pull, StreamingPull,
 * Seek and snapshots.
 *
 * Not imitated, answers UNIMPLEMENTED: IAM policies; schemas other than Avro, their revisions, messages
 * checked against them; subscriptions with exactly-once delivery, BigQuery, Cloud Storage or Bigtable
 * export, message transforms or an unwrapped push body; topics with ingestion, a storage policy, a key
 * of their own or message transforms.
 * Differs: a push subscription has 100 requests in flight from the start (no slow start); without a
 * retry policy back-off is per message, not per subscription; Pull never waits; a stream stays open
 * until its client ends it; messages past their retention go when their turn comes; subscriptions never
 * expire; publish times are in milliseconds.
 */
import { untilQuiet } from '../kernel/activity.ts';
import type { Service } from '../kernel/grpc.ts';
import { acknowledge } from './acknowledge.ts';
import { createSubscription } from './create-subscription.ts';
import { createTopic } from './create-topic.ts';
import { deleteSubscription } from './delete-subscription.ts';
import { deleteTopic } from './delete-topic.ts';
import { detachSubscription } from './detach-subscription.ts';
import { modifyAckDeadline } from './modify-ack-deadline.ts';
import type { Outstanding } from './outstanding.ts';
import { publish } from './publish.ts';
import { pull } from './pull.ts';
import { getSubscription, listSubscriptions } from './read-subscriptions.ts';
import { getTopic, listTopics, listTopicSubscriptions } from './read-topics.ts';
import {
  createSchema,
  deleteSchema,
  getSchema,
  listSchemas,
  validateSchema,
} from './schemas.ts';
import { seek } from './seek.ts';
import {
  createSnapshot,
  deleteSnapshot,
  getSnapshot,
  listSnapshots,
  listTopicSnapshots,
  updateSnapshot,
} from './snapshots.ts';
import { PubsubState, type StateParts } from './state.ts';
import { streamingPull } from './streaming-pull.ts';
import { modifyPushConfig, updateSubscription } from './update-subscription.ts';
import { updateTopic } from './update-topic.ts';

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
          UpdateTopic: updateTopic(state),
          ListTopics: listTopics(state),
          ListTopicSubscriptions: listTopicSubscriptions(state),
          ListTopicSnapshots: listTopicSnapshots(state),
          DeleteTopic: deleteTopic(state),
          DetachSubscription: detachSubscription(state),
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
          Seek: seek(state),
          CreateSnapshot: createSnapshot(state),
          GetSnapshot: getSnapshot(state),
          ListSnapshots: listSnapshots(state),
          UpdateSnapshot: updateSnapshot(state),
          DeleteSnapshot: deleteSnapshot(state),
        },
        duplex: { StreamingPull: streamingPull(state) },
      },
      {
        package: '@google-cloud/pubsub',
        name: 'google.pubsub.v1.SchemaService',
        unary: {
          CreateSchema: createSchema(state),
          GetSchema: getSchema(state),
          ListSchemas: listSchemas(state),
          DeleteSchema: deleteSchema(state),
          ValidateSchema: validateSchema(state),
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
