import type { PubsubState } from './state.ts';
import type { SubscriptionRequest } from './wire.ts';

/** For good: the subscription loses what it holds, gets nothing more and can only be deleted. */
export const detachSubscription = (state: PubsubState) => (request: SubscriptionRequest) => {
  const subscription = state.subscription(request.subscription);
  state.configure(subscription, { ...subscription.settings, isDetached: true });
  return {};
};
