import { applyMask } from '../kernel/field-mask.ts';
import { RpcError } from '../kernel/grpc.ts';
import type { PubsubState } from './state.ts';
import { parseSubscription, subscriptionToWire } from './subscription-settings.ts';
import type {
  ModifyPushConfigRequest,
  UpdateSubscriptionRequest,
  WireSubscription,
} from './wire.ts';

/** Fixed when the subscription is created. */
const FIXED = ['topic', 'filter', 'isOrdered', 'isDetached'] as const;

export const updateSubscription =
  (state: PubsubState) =>
  (request: UpdateSubscriptionRequest): WireSubscription => {
    const update = request.subscription ?? {};
    const subscription = state.subscription(update.name);
    if (!request.updateMask?.paths?.length)
      throw new RpcError('INVALID_ARGUMENT', 'The update_mask in the request must not be empty.');
    const current = subscription.settings;
    const merged = parseSubscription(
      applyMask(subscriptionToWire(current), update, request.updateMask),
    );
    for (const field of FIXED)
      if (merged[field] !== current[field])
        throw new RpcError('INVALID_ARGUMENT', `A subscription's ${field} cannot be changed.`);
    if (merged.deadLetter) state.topic(merged.deadLetter.topic);
    state.configure(subscription, merged);
    return subscriptionToWire(merged);
  };

export const modifyPushConfig = (state: PubsubState) => (request: ModifyPushConfigRequest) => {
  const subscription = state.subscription(request.subscription);
  const wire = subscriptionToWire(subscription.settings);
  const settings = parseSubscription({ ...wire, pushConfig: request.pushConfig ?? {} });
  state.configure(subscription, settings);
  return {};
};
