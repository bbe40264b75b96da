import { pageOf } from '../kernel/page.ts';
import type { TasksState } from './state.ts';
import type { ListQueuesRequest, NamedRequest } from './wire.ts';

const PAGE_SIZE_MAX = 9800;

export const getQueue = (state: TasksState) => (request: NamedRequest) =>
  state.wire(state.queue(request.name));

export const listQueues = (state: TasksState) => (request: ListQueuesRequest) => {
  const inLocation = [...state.queues.values()]
    .map((queue) => queue.settings)
    .filter((settings) => settings.name.startsWith(`${request.parent ?? ''}/queues/`));
  const { items, nextPageToken } = pageOf(inLocation, request, PAGE_SIZE_MAX);
  return { queues: items.map((item) => state.wire(state.queue(item.name))), nextPageToken };
};
