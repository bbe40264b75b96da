import { RpcError } from '../kernel/grpc.ts';
import { checkName } from './names.ts';
import type { PubsubState } from './state.ts';
import type { WireTopic } from './wire.ts';

export const createTopic =
  (state: PubsubState) =>
  (request: WireTopic): WireTopic => {
    const name = checkName('topics', request.name);
    if (request.schemaSettings || request.ingestionDataSourceSettings)
      throw new RpcError('UNIMPLEMENTED', 'Schemas and ingestion are not imitated.');
    if (state.topics.has(name))
      throw new RpcError(
        'ALREADY_EXISTS',
        `Resource already exists in the project (resource=${name}).`,
      );
    const topic = { name, labels: { ...request.labels } };
    state.keepTopic(topic);
    return topic;
  };
