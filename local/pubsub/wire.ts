import type { protos } from '@google-cloud/pubsub';

/** The messages of google.pubsub.v1, from Google's own client. */
export type WireTopic = protos.google.pubsub.v1.ITopic;
export type WireMessage = protos.google.pubsub.v1.IPubsubMessage;
export type WireSubscription = protos.google.pubsub.v1.ISubscription;
export type WireReceived = protos.google.pubsub.v1.IReceivedMessage;

export type WireSnapshot = protos.google.pubsub.v1.ISnapshot;
export type WireSchema = protos.google.pubsub.v1.ISchema;

export type PublishRequest = protos.google.pubsub.v1.IPublishRequest;
export type TopicRequest = protos.google.pubsub.v1.IGetTopicRequest;
export type UpdateTopicRequest = protos.google.pubsub.v1.IUpdateTopicRequest;
export type ListTopicsRequest = protos.google.pubsub.v1.IListTopicsRequest;
export type ListTopicSubscriptionsRequest = protos.google.pubsub.v1.IListTopicSubscriptionsRequest;
export type SubscriptionRequest = protos.google.pubsub.v1.IGetSubscriptionRequest;
export type ListSubscriptionsRequest = protos.google.pubsub.v1.IListSubscriptionsRequest;
export type UpdateSubscriptionRequest = protos.google.pubsub.v1.IUpdateSubscriptionRequest;
export type ModifyPushConfigRequest = protos.google.pubsub.v1.IModifyPushConfigRequest;
export type PullRequest = protos.google.pubsub.v1.IPullRequest;
export type AcknowledgeRequest = protos.google.pubsub.v1.IAcknowledgeRequest;
export type ModifyAckDeadlineRequest = protos.google.pubsub.v1.IModifyAckDeadlineRequest;
export type StreamingPullRequest = protos.google.pubsub.v1.IStreamingPullRequest;
export type StreamingPullResponse = protos.google.pubsub.v1.IStreamingPullResponse;
export type SeekRequest = protos.google.pubsub.v1.ISeekRequest;
export type CreateSnapshotRequest = protos.google.pubsub.v1.ICreateSnapshotRequest;
export type UpdateSnapshotRequest = protos.google.pubsub.v1.IUpdateSnapshotRequest;
export type SnapshotRequest = protos.google.pubsub.v1.IGetSnapshotRequest;
export type ListSnapshotsRequest = protos.google.pubsub.v1.IListSnapshotsRequest;
export type CreateSchemaRequest = protos.google.pubsub.v1.ICreateSchemaRequest;
export type GetSchemaRequest = protos.google.pubsub.v1.IGetSchemaRequest;
export type ListSchemasRequest = protos.google.pubsub.v1.IListSchemasRequest;
export type ValidateSchemaRequest = protos.google.pubsub.v1.IValidateSchemaRequest;
