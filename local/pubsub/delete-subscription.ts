import type { PubsubState } from './state.ts';
import type { SubscriptionRequest } from './wire.ts';

export const deleteSubscription = (state: PubsubState) => (request: SubscriptionRequest) => {
  state.deleteSubscription(state.subscription(request.subscription));
  return {};
};
