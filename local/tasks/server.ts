/*
 * Cloud Tasks (google.cloud.tasks.v2) with HTTP targets.
 *
 * Not imitated: App Engine targets and OAuth tokens (CreateTask answers UNIMPLEMENTED), IAM policies
 * (GetIamPolicy, SetIamPolicy, TestIamPermissions: UNIMPLEMENTED), BufferTask, queue.yaml's DISABLED
 * state, following redirects (a 3xx counts as a failure), and the throttling of a whole queue whose
 * target answers 429 or 503. For the last, Google publishes no rates, and a guess would let tests pass
 * or fail by invention. What holds instead: `Retry-After` is honoured per task, and `pushBacks()` counts
 * such answers, so that a test can show that a handler never gives one for a reason that concerns one
 * task alone.
 */
import { untilQuiet } from '../kernel/activity.ts';
import type { Service } from '../kernel/grpc.ts';
import { Reloadable } from '../kernel/reloadable.ts';
import { createQueue } from './create-queue.ts';
import { createTask } from './create-task.ts';
import { deleteQueue, pauseQueue, purgeQueue, resumeQueue } from './control-queue.ts';
import { deleteTask } from './delete-task.ts';
import { getQueue, listQueues } from './read-queues.ts';
import { getTask, listTasks } from './read-tasks.ts';
import { runTask } from './run-task.ts';
import { type StateParts, TasksState } from './state.ts';
import type { Task } from './task.ts';
import { updateQueue } from './update-queue.ts';

export interface Tasks {
  readonly services: Service[];
  /** Something is in flight or due now. */
  isBusy(): boolean;
  /** Resolves when only future-dated work is left. */
  idle(): Promise<void>;
  /** The tasks that are not finished, of one queue or of all. */
  tasks(queueName?: string): readonly Readonly<Task>[];
  /** Answers 429 and 503 so far, of one queue or of all: each would slow down its queue in production. */
  pushBacks(queueName?: string): number;
  /** Takes its state from the journal again, after something else has changed it there. */
  reload(): void;
  close(): void;
}

export function createTasks(parts: StateParts): Tasks {
  const kept = new Reloadable(() => new TasksState(parts));
  const isBusy = () => [...kept.current.queues.values()].some((queue) => queue.isBusy);
  return {
    services: [
      {
        package: '@google-cloud/tasks',
        name: 'google.cloud.tasks.v2.CloudTasks',
        unary: {
          CreateQueue: kept.rpc(createQueue),
          GetQueue: kept.rpc(getQueue),
          UpdateQueue: kept.rpc(updateQueue),
          ListQueues: kept.rpc(listQueues),
          DeleteQueue: kept.rpc(deleteQueue),
          PauseQueue: kept.rpc(pauseQueue),
          ResumeQueue: kept.rpc(resumeQueue),
          PurgeQueue: kept.rpc(purgeQueue),
          CreateTask: kept.rpc(createTask),
          GetTask: kept.rpc(getTask),
          ListTasks: kept.rpc(listTasks),
          DeleteTask: kept.rpc(deleteTask),
          RunTask: kept.rpc(runTask),
        },
      },
    ],
    isBusy,
    idle: () => untilQuiet(isBusy),
    tasks: (queueName) =>
      [...kept.current.queues.values()]
        .filter((queue) => queueName === undefined || queue.settings.name === queueName)
        .flatMap((queue) => [...queue.tasks.values()]),
    pushBacks: (queueName) =>
      [...kept.current.queues.values()]
        .filter((queue) => queueName === undefined || queue.settings.name === queueName)
        .reduce((sum, queue) => sum + queue.pushBacks, 0),
    reload: () => kept.reload(),
    close: () => kept.current.close(),
  };
}
