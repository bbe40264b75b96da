import { RpcError } from '../kernel/grpc.ts';
import { parseMessage, sizeOf } from './message.ts';
import type { PubsubState } from './state.ts';
import type { PublishRequest } from './wire.ts';

const MESSAGES_MAX = 1000;
const REQUEST_BYTES_MAX = 10_000_000;

export const publish = (state: PubsubState) => (request: PublishRequest) => {
  const topic = state.topic(request.topic);
  const messages = request.messages ?? [];
  if (messages.length === 0 || messages.length > MESSAGES_MAX)
    throw new RpcError('INVALID_ARGUMENT', `A request publishes 1 to ${MESSAGES_MAX} messages.`);
  const contents = messages.map(parseMessage);
  const bytes = contents.reduce((sum, content) => sum + sizeOf(content), 0);
  if (bytes > REQUEST_BYTES_MAX)
    throw new RpcError('INVALID_ARGUMENT', 'Request payload size exceeds the limit: 10 MB.');
  return { messageIds: state.publish(topic, contents) };
};
