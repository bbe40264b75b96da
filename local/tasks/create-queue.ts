import { RpcError } from '../kernel/grpc.ts';
import { parseQueue } from './queue-settings.ts';
import type { TasksState } from './state.ts';
import type { CreateQueueRequest, WireQueue } from './wire.ts';

export const createQueue =
  (state: TasksState) =>
  (request: CreateQueueRequest): WireQueue => {
    const settings = parseQueue(request.queue);
    if (!settings.name.startsWith(`${request.parent ?? ''}/`))
      throw new RpcError('INVALID_ARGUMENT', 'The parent must be the location in queue.name.');
    if (state.queues.has(settings.name))
      throw new RpcError('ALREADY_EXISTS', 'Queue already exists');
    return state.wire(state.create(settings));
  };
