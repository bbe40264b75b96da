import { RpcError } from '../kernel/grpc.ts';
import type { TasksState } from './state.ts';
import { parseTask, taskToWire } from './task.ts';
import type { CreateTaskRequest, WireTask } from './wire.ts';

export const createTask =
  (state: TasksState) =>
  (request: CreateTaskRequest): WireTask => {
    const queue = state.queue(request.parent);
    const task = parseTask(request.task, queue.settings.name, state.clock.nowMs());
    if (queue.tasks.has(task.name))
      throw new RpcError('ALREADY_EXISTS', 'Requested entity already exists');
    if (state.isNameSpent(task.name))
      throw new RpcError(
        'ALREADY_EXISTS',
        'The task cannot be created because a task with this name existed too recently. For more information about task de-duplication see https://cloud.google.com/tasks/docs/reference/rest/v2/projects.locations.queues.tasks/create#body.request_body.FIELDS.task.',
      );
    state.meter.count('tasks');
    queue.add(task);
    return taskToWire(task, request.responseView);
  };
