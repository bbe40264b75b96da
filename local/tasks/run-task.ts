import type { TasksState } from './state.ts';
import { taskToWire } from './task.ts';
import type { NamedRequest } from './wire.ts';

/** Forces an attempt now, even past the queue's limits or while it is paused. */
export const runTask = (state: TasksState) => (request: NamedRequest) => {
  const { queue, task } = state.task(request.name);
  queue.run(task);
  return taskToWire(task, request.responseView);
};
