import type { protos } from '@google-cloud/pubsub';

/** The messages of google.pubsub.v1, from Google's own client. */
export type WireTopic = protos.google.pubsub.v1.ITopic;
export type WireMessage = protos.google.pubsub.v1.IPubsubMessage;
export type WireSubscription = protos.google.pubsub.v1.ISubscription;
export type WireReceived = protos.google.pubsub.v1.IReceivedMessage;

export type PublishRequest = protos.google.pubsub.v1.IPublishRequest;
export type TopicRequest = protos.google.pubsub.v1.IGetTopicRequest;
export type ListTopicsRequest = protos.google.pubsub.v1.IListTopicsRequest;
export type ListTopicSubscriptionsRequest = protos.google.pubsub.v1.IListTopicSubscriptionsRequest;
export type SubscriptionRequest = protos.google.pubsub.v1.IGetSubscriptionRequest;
export type ListSubscriptionsRequest = protos.google.pubsub.v1.IListSubscriptionsRequest;
export type UpdateSubscriptionRequest = protos.google.pubsub.v1.IUpdateSubscriptionRequest;
export type ModifyPushConfigRequest = protos.google.pubsub.v1.IModifyPushConfigRequest;
export type PullRequest = protos.google.pubsub.v1.IPullRequest;
export type AcknowledgeRequest = protos.google.pubsub.v1.IAcknowledgeRequest;
export type ModifyAckDeadlineRequest = protos.google.pubsub.v1.IModifyAckDeadlineRequest;
