import { randomInt } from 'node:crypto';

import { RpcError } from '../kernel/grpc.ts';
import { toMs } from '../kernel/proto-time.ts';
import type { Message } from './message.ts';
import { holds } from './snapshot.ts';
import type { PubsubState } from './state.ts';
import type { Subscription } from './subscription.ts';
import type { SeekRequest } from './wire.ts';

const BASE_MAX = 2 ** 40;

/** What the subscription has to deliver from now on, if only these are to be delivered. */
function chosen(
  state: PubsubState,
  subscription: Subscription,
  isChosen: (message: Message) => boolean,
): Message[] {
  const unacknowledged = [...subscription.outstanding.values()].map(({ message }) => message);
  const all = new Map(
    [...unacknowledged, ...state.retainedFor(subscription)].map((message) => [message.id, message]),
  );
  return [...all.values()].filter(isChosen).sort((a, b) => (a.id < b.id ? -1 : 1));
}

/** Publish times are exact to the millisecond here, so a seek to one is too. */
export const seek = (state: PubsubState) => (request: SeekRequest) => {
  const subscription = state.subscription(request.subscription);
  const { settings } = subscription;
  if (settings.isDetached)
    throw new RpcError('FAILED_PRECONDITION', 'The subscription is detached from its topic.');
  const timeMs = toMs(request.time);
  let isChosen: (message: Message) => boolean;
  if (request.snapshot) {
    const snapshot = state.snapshot(request.snapshot);
    if (snapshot.topic !== settings.topic)
      throw new RpcError(
        'INVALID_ARGUMENT',
        `The snapshot's topic (${snapshot.topic}) is not the subscription's (${settings.topic}).`,
      );
    isChosen = (message) => holds(snapshot, message);
  } else {
    if (timeMs === undefined)
      throw new RpcError('INVALID_ARGUMENT', 'A time or a snapshot to seek to is needed.');
    const retentionMs = state.topics.get(settings.topic)?.retentionMs ?? 0;
    const nowMs = state.clock.nowMs();
    isChosen = (message) =>
      message.publishMs >= Math.floor(timeMs) &&
      // A message retained for another subscription or for a snapshot cannot be sought by time.
      (subscription.outstanding.has(message.id) ||
        nowMs - message.publishMs < retentionMs ||
        (settings.retainsAcked && message.id >= (settings.sinceId ?? '')));
  }
  subscription.seek(chosen(state, subscription, isChosen), randomInt(BASE_MAX));
  return {};
};
