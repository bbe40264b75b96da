import type { TasksState } from './state.ts';
import type { NamedRequest } from './wire.ts';

export const deleteQueue = (state: TasksState) => (request: NamedRequest) => {
  state.deleteQueue(state.queue(request.name));
  return {};
};

export const pauseQueue = (state: TasksState) => (request: NamedRequest) => {
  const queue = state.queue(request.name);
  queue.pause();
  state.keep(queue);
  return state.wire(queue);
};

export const resumeQueue = (state: TasksState) => (request: NamedRequest) => {
  const queue = state.queue(request.name);
  queue.resume();
  state.keep(queue);
  return state.wire(queue);
};

/** The names of purged tasks stay refused, like those of deleted ones. */
export const purgeQueue = (state: TasksState) => (request: NamedRequest) => {
  const queue = state.queue(request.name);
  queue.purge();
  return state.wire(queue);
};
