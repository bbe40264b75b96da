import { parseAckId } from './ack-id.ts';
import type { PubsubState } from './state.ts';
import type { AcknowledgeRequest } from './wire.ts';

export const acknowledge = (state: PubsubState) => (request: AcknowledgeRequest) => {
  const subscription = state.subscription(request.subscription);
  for (const { messageId, delivery } of (request.ackIds ?? []).map(parseAckId))
    subscription.acknowledge(messageId, delivery);
  return {};
};
