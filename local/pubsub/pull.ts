import { RpcError } from '../kernel/grpc.ts';
import { ackIdOf } from './ack-id.ts';
import { messageToWire } from './message.ts';
import type { PubsubState } from './state.ts';
import type { PullRequest, WireReceived } from './wire.ts';

const MESSAGES_MAX = 1000;

/** Answers with what is there, at once; production may wait a little for more. */
export const pull =
  (state: PubsubState) =>
  (request: PullRequest): { receivedMessages: WireReceived[] } => {
    const subscription = state.subscription(request.subscription);
    const { push, deadLetter } = subscription.settings;
    if (push) throw new RpcError('FAILED_PRECONDITION', 'The subscription is not a pull one.');
    const max = request.maxMessages ?? 0;
    if (max <= 0) throw new RpcError('INVALID_ARGUMENT', 'max_messages must be greater than 0.');
    const receivedMessages = subscription.pull(Math.min(max, MESSAGES_MAX)).map((item) => ({
      ackId: ackIdOf(item.message.id, item.attempts),
      message: messageToWire(item.message),
      ...(deadLetter && { deliveryAttempt: item.attempts }),
    }));
    return { receivedMessages };
  };
