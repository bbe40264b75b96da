import { RpcError } from '../kernel/grpc.ts';
import type { PubsubState } from './state.ts';
import { parseTopic, topicToWire } from './topic-settings.ts';
import type { WireTopic } from './wire.ts';

export const createTopic =
  (state: PubsubState) =>
  (request: WireTopic): WireTopic => {
    const topic = parseTopic(request);
    if (state.topics.has(topic.name))
      throw new RpcError(
        'ALREADY_EXISTS',
        `Resource already exists in the project (resource=${topic.name}).`,
      );
    state.keepTopic(topic);
    return topicToWire(topic);
  };
