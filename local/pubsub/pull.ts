import { RpcError } from '../kernel/grpc.ts';
import { received } from './pull-stream.ts';
import type { PubsubState } from './state.ts';
import type { Subscription } from './subscription.ts';
import type { PullRequest, WireReceived } from './wire.ts';

const MESSAGES_MAX = 1000;

export function checkPullable({ settings }: Subscription): void {
  if (settings.isDetached)
    throw new RpcError('FAILED_PRECONDITION', 'The subscription is detached from its topic.');
  if (settings.push)
    throw new RpcError('FAILED_PRECONDITION', 'The subscription is not a pull one.');
}

/** Answers with what is there, at once; production may wait a little for more. */
export const pull =
  (state: PubsubState) =>
  (request: PullRequest): { receivedMessages: WireReceived[] } => {
    const subscription = state.subscription(request.subscription);
    checkPullable(subscription);
    const max = request.maxMessages ?? 0;
    if (max <= 0) throw new RpcError('INVALID_ARGUMENT', 'max_messages must be greater than 0.');
    const items = subscription.pull(Math.min(max, MESSAGES_MAX));
    return { receivedMessages: items.map((item) => received(item, subscription.settings)) };
  };
