import { RpcError } from '../kernel/grpc.ts';

const LOCATION = String.raw`projects/[a-zA-Z0-9.:-]+/locations/[a-z0-9-]+`;
const QUEUE = new RegExp(`^${LOCATION}/queues/[a-zA-Z0-9-]{1,100}$`);
const TASK = new RegExp(`^${LOCATION}/queues/[a-zA-Z0-9-]{1,100}/tasks/[a-zA-Z0-9_-]{1,500}$`);

export function checkQueueName(name: string | null | undefined): string {
  if (name && QUEUE.test(name)) return name;
  throw new RpcError(
    'INVALID_ARGUMENT',
    `Queue.name must be formatted: "projects/<PROJECT_ID>/locations/<LOCATION_ID>/queues/<QUEUE_ID>" (is "${name ?? ''}")`,
  );
}

export function checkTaskName(name: string | null | undefined): string {
  if (name && TASK.test(name)) return name;
  throw new RpcError(
    'INVALID_ARGUMENT',
    `Task.name must be formatted: "projects/<PROJECT_ID>/locations/<LOCATION_ID>/queues/<QUEUE_ID>/tasks/<TASK_ID>" (is "${name ?? ''}")`,
  );
}

export const queueOf = (taskName: string): string => taskName.split('/tasks/')[0] ?? '';
export const lastPart = (name: string): string => name.slice(name.lastIndexOf('/') + 1);
