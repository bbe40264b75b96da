import { RpcError } from '../kernel/grpc.ts';
import type { PubsubState } from './state.ts';
import { parseSubscription, subscriptionToWire } from './subscription-settings.ts';
import type { WireSubscription } from './wire.ts';

export const createSubscription =
  (state: PubsubState) =>
  (request: WireSubscription): WireSubscription => {
    const settings = parseSubscription({ ...request, detached: false });
    if (state.subscriptions.has(settings.name))
      throw new RpcError(
        'ALREADY_EXISTS',
        `Resource already exists in the project (resource=${settings.name}).`,
      );
    state.topic(settings.topic);
    if (settings.deadLetter) state.topic(settings.deadLetter.topic);
    state.createSubscription(settings);
    return subscriptionToWire(settings);
  };
