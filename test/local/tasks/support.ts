import type { protos } from '@google-cloud/tasks';

import { LOCATION, startTestCloud } from '../support/cloud.ts';

type Queue = protos.google.cloud.tasks.v2.IQueue;
type Task = protos.google.cloud.tasks.v2.ITask;
type HttpRequest = protos.google.cloud.tasks.v2.IHttpRequest;

export const QUEUE = `${LOCATION}/queues/work`;

/** A test cloud with one queue. */
export async function startWithQueue(
  queue: Queue = {},
  react?: Parameters<typeof startTestCloud>[0],
  options?: Parameters<typeof startTestCloud>[1],
) {
  const test = await startTestCloud(react, options);
  await test.google.tasks.createQueue({ parent: LOCATION, queue: { name: QUEUE, ...queue } });
  return Object.assign(test, {
    async create(task: Task = {}, request: HttpRequest = {}) {
      const httpRequest = { url: `${test.target.url}/task`, ...request };
      const [created] = await test.google.tasks.createTask({
        parent: QUEUE,
        task: { ...task, httpRequest },
      });
      return created;
    },
  });
}

export const task = (id: string): string => `${QUEUE}/tasks/${id}`;
