import type { Service } from '../kernel/grpc.ts';
import type { Task } from '../tasks/task.ts';
import type { Tasks } from '../tasks/server.ts';
import type { WireQueue } from '../tasks/wire.ts';
import { isoTime, lastPart } from './display.ts';
import { maskJson, maskText } from './masking.ts';
import { showPayload } from './payload.ts';
import { call } from './rpc.ts';

/** Of each queue, the next to run. */
const TASKS_MAX = 50;

const showTask = (task: Readonly<Task>) => {
  const status = task.lastAttempt?.status;
  return {
    name: task.name,
    target: maskText(task.url),
    method: task.method,
    schedule_time: isoTime(task.scheduleMs),
    create_time: isoTime(task.createMs),
    attempts: task.dispatchCount,
    last_status: status ? { code: status.code, message: maskText(status.message) } : null,
    headers: maskJson(task.headers),
    payload: showPayload(task.body),
  };
};

/** The queues of one location with their next tasks. */
export async function listQueues(tasks: Tasks, location: string) {
  const { queues } = await call<{ queues: WireQueue[] }>(tasks.services, 'ListQueues', {
    parent: location,
  });
  return {
    queues: queues.map((queue) => {
      const waiting = tasks.tasks(queue.name ?? '');
      return {
        name: queue.name ?? '',
        id: lastPart(queue.name ?? ''),
        state: queue.state,
        rate_limits: {
          max_dispatches_per_second: queue.rateLimits?.maxDispatchesPerSecond,
          max_concurrent_dispatches: queue.rateLimits?.maxConcurrentDispatches,
        },
        max_attempts: queue.retryConfig?.maxAttempts,
        total: waiting.length,
        tasks: waiting
          .toSorted((a, b) => a.scheduleMs - b.scheduleMs)
          .slice(0, TASKS_MAX)
          .map(showTask),
      };
    }),
  };
}

const act = (rpc: string) => async (services: readonly Service[], name: string) =>
  void (await call(services, rpc, { name }));

export const pauseQueue = act('PauseQueue');
export const resumeQueue = act('ResumeQueue');
export const runTask = act('RunTask');
