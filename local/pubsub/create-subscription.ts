import { RpcError } from '../kernel/grpc.ts';
import { checkName } from './names.ts';
import type { PubsubState } from './state.ts';
import { parseSubscription, subscriptionToWire } from './subscription-settings.ts';
import type { WireSubscription } from './wire.ts';

export const createSubscription =
  (state: PubsubState) =>
  (request: WireSubscription): WireSubscription => {
    const name = checkName('subscriptions', request.name);
    // As Google's emulator has it, before anything else that is wrong with the request.
    if (state.subscriptions.has(name))
      throw new RpcError(
        'ALREADY_EXISTS',
        `Resource already exists in the project (resource=${name}).`,
      );
    const settings = parseSubscription({ ...request, detached: false });
    state.topic(settings.topic);
    if (settings.deadLetter) state.topic(settings.deadLetter.topic);
    state.createSubscription(settings);
    return subscriptionToWire(settings);
  };
