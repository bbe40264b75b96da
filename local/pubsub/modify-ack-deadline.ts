import { RpcError } from '../kernel/grpc.ts';
import { parseAckId } from './ack-id.ts';
import type { PubsubState } from './state.ts';
import type { ModifyAckDeadlineRequest } from './wire.ts';

const DEADLINE_S_MAX = 600;

export const modifyAckDeadline = (state: PubsubState) => (request: ModifyAckDeadlineRequest) => {
  const subscription = state.subscription(request.subscription);
  const deadlineS = request.ackDeadlineSeconds ?? 0;
  if (deadlineS < 0 || deadlineS > DEADLINE_S_MAX)
    throw new RpcError('INVALID_ARGUMENT', `The ack deadline must be 0 to ${DEADLINE_S_MAX} s.`);
  for (const { messageId, attempt } of (request.ackIds ?? []).map(parseAckId))
    subscription.modifyDeadline(messageId, attempt, deadlineS * 1000);
  return {};
};
