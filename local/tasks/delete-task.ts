import type { TasksState } from './state.ts';
import type { NamedRequest } from './wire.ts';

export const deleteTask = (state: TasksState) => (request: NamedRequest) => {
  const { queue, task } = state.task(request.name);
  queue.remove(task);
  return {};
};
