/*
 * Cloud Tasks (google.cloud.tasks.v2) with HTTP targets.
 *
 * Not imitated: App Engine targets and OAuth tokens (CreateTask answers UNIMPLEMENTED), IAM policies
 * (GetIamPolicy, SetIamPolicy, TestIamPermissions: UNIMPLEMENTED), BufferTask, queue.yaml's DISABLED
 * state, following redirects (a 3xx counts as a failure), throttling of a whole queue after 429 or 503
 * (a `Retry-After` is honoured per task), and the days for which a deleted queue's name is refused.
 */
import { untilQuiet } from '../kernel/activity.ts';
import type { Service } from '../kernel/grpc.ts';
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
  close(): void;
}

export function createTasks(parts: StateParts): Tasks {
  const state = new TasksState(parts);
  const isBusy = () => [...state.queues.values()].some((queue) => queue.isBusy);
  return {
    services: [
      {
        package: '@google-cloud/tasks',
        name: 'google.cloud.tasks.v2.CloudTasks',
        unary: {
          CreateQueue: createQueue(state),
          GetQueue: getQueue(state),
          UpdateQueue: updateQueue(state),
          ListQueues: listQueues(state),
          DeleteQueue: deleteQueue(state),
          PauseQueue: pauseQueue(state),
          ResumeQueue: resumeQueue(state),
          PurgeQueue: purgeQueue(state),
          CreateTask: createTask(state),
          GetTask: getTask(state),
          ListTasks: listTasks(state),
          DeleteTask: deleteTask(state),
          RunTask: runTask(state),
        },
      },
    ],
    isBusy,
    idle: () => untilQuiet(isBusy),
    tasks: (queueName) =>
      [...state.queues.values()]
        .filter((queue) => queueName === undefined || queue.settings.name === queueName)
        .flatMap((queue) => [...queue.tasks.values()]),
    close: () => state.close(),
  };
}
