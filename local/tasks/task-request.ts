import type { Dispatch } from '../kernel/dispatch.ts';
import { lastPart } from './names.ts';
import type { Task } from './task.ts';

/** The HTTP request of a task's next attempt; call it before the attempt is counted. */
export function taskRequest(task: Task, queueName: string, token: string | undefined): Dispatch {
  const hasContentType = Object.keys(task.headers).some(
    (name) => name.toLowerCase() === 'content-type',
  );
  return {
    url: task.url,
    method: task.method,
    body: task.body,
    deadlineMs: task.dispatchDeadlineMs,
    headers: {
      ...(task.body.length > 0 &&
        !hasContentType && { 'Content-Type': 'application/octet-stream' }),
      ...task.headers,
      'User-Agent': 'Google-Cloud-Tasks',
      'X-CloudTasks-QueueName': lastPart(queueName),
      'X-CloudTasks-TaskName': lastPart(task.name),
      'X-CloudTasks-TaskRetryCount': String(task.dispatchCount),
      'X-CloudTasks-TaskExecutionCount': String(task.executionCount),
      'X-CloudTasks-TaskETA': (task.scheduleMs / 1000).toFixed(6),
      ...(task.previousStatus !== undefined && {
        'X-CloudTasks-TaskPreviousResponse': String(task.previousStatus),
      }),
      ...(token && { Authorization: `Bearer ${token}` }),
    },
  };
}
