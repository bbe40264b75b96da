import { applyMask } from '../kernel/field-mask.ts';
import { RpcError } from '../kernel/grpc.ts';
import { parseQueue, queueToWire } from './queue-settings.ts';
import type { TasksState } from './state.ts';
import type { UpdateQueueRequest, WireQueue } from './wire.ts';

const UPDATABLE = ['rate_limits', 'retry_config'];

/** Creates the queue if it does not exist, as Cloud Tasks does. */
export const updateQueue =
  (state: TasksState) =>
  (request: UpdateQueueRequest): WireQueue => {
    const update = request.queue ?? {};
    const unknown = request.updateMask?.paths?.find(
      (path) => !UPDATABLE.includes(path.split('.')[0] ?? ''),
    );
    if (unknown)
      throw new RpcError('INVALID_ARGUMENT', `The field ${unknown} of a queue cannot be updated.`);
    const existing = state.queues.get(update.name ?? '');
    if (!existing) return state.wire(state.create(parseQueue(update)));
    const merged = applyMask(queueToWire(existing.settings), update, request.updateMask);
    existing.configure(parseQueue({ ...merged, name: existing.settings.name }));
    state.keep(existing);
    return state.wire(existing);
  };
