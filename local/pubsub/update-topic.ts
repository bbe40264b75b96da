import { applyMask } from '../kernel/field-mask.ts';
import { RpcError } from '../kernel/grpc.ts';
import type { PubsubState } from './state.ts';
import { parseTopic, topicToWire } from './topic-settings.ts';
import type { UpdateTopicRequest, WireTopic } from './wire.ts';

const UPDATABLE = ['labels', 'message_retention_duration'];

export const updateTopic =
  (state: PubsubState) =>
  (request: UpdateTopicRequest): WireTopic => {
    const update = request.topic ?? {};
    const topic = state.topic(update.name);
    const paths = request.updateMask?.paths ?? [];
    if (paths.length === 0)
      throw new RpcError('INVALID_ARGUMENT', 'The update_mask in the request must not be empty.');
    const unknown = paths.find((path) => !UPDATABLE.includes(path.split('.')[0] ?? ''));
    if (unknown)
      throw new RpcError('INVALID_ARGUMENT', `Invalid update_mask provided: ${unknown}.`);
    const merged = parseTopic(applyMask(topicToWire(topic), update, { paths }));
    state.keepTopic(merged);
    return topicToWire(merged);
  };
