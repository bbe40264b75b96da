import { pageOf } from '../kernel/page.ts';
import type { PubsubState } from './state.ts';
import { topicToWire } from './topic-settings.ts';
import type { ListTopicsRequest, ListTopicSubscriptionsRequest, TopicRequest } from './wire.ts';

const PAGE_SIZE_MAX = 1000;

export const getTopic = (state: PubsubState) => (request: TopicRequest) =>
  topicToWire(state.topic(request.topic));

export const listTopics = (state: PubsubState) => (request: ListTopicsRequest) => {
  const inProject = [...state.topics.values()].filter((topic) =>
    topic.name.startsWith(`${request.project ?? ''}/topics/`),
  );
  const { items, nextPageToken } = pageOf(inProject, request, PAGE_SIZE_MAX);
  return { topics: items.map(topicToWire), nextPageToken };
};

export const listTopicSubscriptions =
  (state: PubsubState) => (request: ListTopicSubscriptionsRequest) => {
    const topic = state.topic(request.topic);
    const attached = [...state.subscriptions.values()]
      .map((subscription) => subscription.settings)
      .filter((settings) => settings.topic === topic.name && !settings.isDetached);
    const { items, nextPageToken } = pageOf(attached, request, PAGE_SIZE_MAX);
    return { subscriptions: items.map((settings) => settings.name), nextPageToken };
  };
