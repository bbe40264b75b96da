import { RpcError } from '../kernel/grpc.ts';
import { parseAckId } from './ack-id.ts';
import type { PubsubState } from './state.ts';
import type { ModifyAckDeadlineRequest } from './wire.ts';

const DEADLINE_S_MAX = 600;

/** A message's new deadline in milliseconds. */
export function checkDeadline(deadlineS: number): number {
  if (deadlineS >= 0 && deadlineS <= DEADLINE_S_MAX) return deadlineS * 1000;
  throw new RpcError('INVALID_ARGUMENT', `The ack deadline must be 0 to ${DEADLINE_S_MAX} s.`);
}

export const modifyAckDeadline = (state: PubsubState) => (request: ModifyAckDeadlineRequest) => {
  const subscription = state.subscription(request.subscription);
  const deadlineMs = checkDeadline(request.ackDeadlineSeconds ?? 0);
  for (const { messageId, delivery } of (request.ackIds ?? []).map(parseAckId))
    subscription.modifyDeadline(messageId, delivery, deadlineMs);
  return {};
};
