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
import { Reloadable } from '../kernel/reloadable.ts';
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
import { createSchema, deleteSchema, getSchema, listSchemas, validateSchema } from './schemas.ts';
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
  /** Takes its state from the journal again, after something else has changed it there. */
  reload(): void;
  close(): void;
}

export function createPubsub(parts: StateParts): Pubsub {
  const kept = new Reloadable(() => new PubsubState(parts));
  const isBusy = () => [...kept.current.subscriptions.values()].some((each) => each.isBusy);
  return {
    services: [
      {
        package: '@google-cloud/pubsub',
        name: 'google.pubsub.v1.Publisher',
        unary: {
          CreateTopic: kept.rpc(createTopic),
          GetTopic: kept.rpc(getTopic),
          UpdateTopic: kept.rpc(updateTopic),
          ListTopics: kept.rpc(listTopics),
          ListTopicSubscriptions: kept.rpc(listTopicSubscriptions),
          ListTopicSnapshots: kept.rpc(listTopicSnapshots),
          DeleteTopic: kept.rpc(deleteTopic),
          DetachSubscription: kept.rpc(detachSubscription),
          Publish: kept.rpc(publish),
        },
      },
      {
        package: '@google-cloud/pubsub',
        name: 'google.pubsub.v1.Subscriber',
        unary: {
          CreateSubscription: kept.rpc(createSubscription),
          GetSubscription: kept.rpc(getSubscription),
          UpdateSubscription: kept.rpc(updateSubscription),
          ModifyPushConfig: kept.rpc(modifyPushConfig),
          ListSubscriptions: kept.rpc(listSubscriptions),
          DeleteSubscription: kept.rpc(deleteSubscription),
          Pull: kept.rpc(pull),
          Acknowledge: kept.rpc(acknowledge),
          ModifyAckDeadline: kept.rpc(modifyAckDeadline),
          Seek: kept.rpc(seek),
          CreateSnapshot: kept.rpc(createSnapshot),
          GetSnapshot: kept.rpc(getSnapshot),
          ListSnapshots: kept.rpc(listSnapshots),
          UpdateSnapshot: kept.rpc(updateSnapshot),
          DeleteSnapshot: kept.rpc(deleteSnapshot),
        },
        duplex: { StreamingPull: kept.duplex(streamingPull) },
      },
      {
        package: '@google-cloud/pubsub',
        name: 'google.pubsub.v1.SchemaService',
        unary: {
          CreateSchema: kept.rpc(createSchema),
          GetSchema: kept.rpc(getSchema),
          ListSchemas: kept.rpc(listSchemas),
          DeleteSchema: kept.rpc(deleteSchema),
          ValidateSchema: kept.rpc(validateSchema),
        },
      },
    ],
    isBusy,
    idle: () => untilQuiet(isBusy),
    outstanding: (name) =>
      [...kept.current.subscriptions.values()]
        .filter((each) => name === undefined || each.settings.name === name)
        .flatMap((each) => [...each.outstanding.values()]),
    reload: () => kept.reload(),
    close: () => kept.current.close(),
  };
}
