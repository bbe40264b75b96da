import { pageOf } from '../kernel/page.ts';
import type { TasksState } from './state.ts';
import { taskToWire } from './task.ts';
import type { ListTasksRequest, NamedRequest } from './wire.ts';

const PAGE_SIZE_MAX = 1000;

export const getTask = (state: TasksState) => (request: NamedRequest) =>
  taskToWire(state.task(request.name).task, request.responseView);

export const listTasks = (state: TasksState) => (request: ListTasksRequest) => {
  const { tasks } = state.queue(request.parent);
  const { items, nextPageToken } = pageOf(tasks.values(), request, PAGE_SIZE_MAX);
  return { tasks: items.map((task) => taskToWire(task, request.responseView)), nextPageToken };
};
