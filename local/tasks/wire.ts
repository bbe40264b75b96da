import type { protos } from '@google-cloud/tasks';

/** The messages of google.cloud.tasks.v2, from Google's own client. */
export type WireQueue = protos.google.cloud.tasks.v2.IQueue;
export type WireTask = protos.google.cloud.tasks.v2.ITask;
export type WireAttempt = protos.google.cloud.tasks.v2.IAttempt;
export type WireView = WireTask['view'];

export type CreateQueueRequest = protos.google.cloud.tasks.v2.ICreateQueueRequest;
export type UpdateQueueRequest = protos.google.cloud.tasks.v2.IUpdateQueueRequest;
export type ListQueuesRequest = protos.google.cloud.tasks.v2.IListQueuesRequest;
export type CreateTaskRequest = protos.google.cloud.tasks.v2.ICreateTaskRequest;
export type ListTasksRequest = protos.google.cloud.tasks.v2.IListTasksRequest;
/** Every request that names one thing: a queue or a task. */
export interface NamedRequest {
  readonly name?: string | null;
  readonly responseView?: WireView;
}
