import { pageOf } from '../kernel/page.ts';
import type { PubsubState } from './state.ts';
import { subscriptionToWire } from './subscription-settings.ts';
import type { ListSubscriptionsRequest, SubscriptionRequest } from './wire.ts';

const PAGE_SIZE_MAX = 1000;

export const getSubscription = (state: PubsubState) => (request: SubscriptionRequest) =>
  subscriptionToWire(state.subscription(request.subscription).settings);

export const listSubscriptions = (state: PubsubState) => (request: ListSubscriptionsRequest) => {
  const inProject = [...state.subscriptions.values()]
    .map((subscription) => subscription.settings)
    .filter((settings) => settings.name.startsWith(`${request.project ?? ''}/subscriptions/`));
  const { items, nextPageToken } = pageOf(inProject, request, PAGE_SIZE_MAX);
  return { subscriptions: items.map(subscriptionToWire), nextPageToken };
};
