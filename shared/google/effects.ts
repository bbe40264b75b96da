import { audienceOf } from '../runtime/audience.ts';
import type { Config } from '../runtime/config.ts';
import { sha256Hex } from '../canonical-json.ts';
import { entryOf } from '../runtime/manifest.ts';
import type { Effects } from '../runtime/services.ts';
import type { Clients } from './clients.ts';

/** gRPC's ALREADY_EXISTS: a task of that name exists or ran within the hour, which is what we want. */
const ALREADY_EXISTS = 6;
/** The outbox and its relay stand behind every call, so none waits long. */
const CALL = { timeout: 5_000, maxRetries: 2 };
/** Tasks created at once: as many as one HTTP/2 connection carries well. */
const PARALLEL = 50;

export function createEffects(clients: Clients, config: Config): Effects {
  return {
    async publish(events) {
      if (events.length === 0) return;
      const publisher = await clients.publisher();
      const byTopic = Map.groupBy(events, (event) => event.topic);
      await Promise.all(
        [...byTopic].map(([topic, ofTopic]) =>
          publisher.publish(
            {
              topic: `projects/${config.project}/topics/${topic}`,
              messages: ofTopic.map(({ attributes, envelope }) => ({
                attributes: { ...attributes },
                data: Buffer.from(JSON.stringify(envelope)),
              })),
            },
            CALL,
          ),
        ),
      );
    },

    async enqueue(tasks) {
      if (tasks.length === 0) return;
      const client = await clients.tasks();
      const pending = [...tasks];
      const worker = async () => {
        for (let task = pending.pop(); task; task = pending.pop()) {
          const { queue } = entryOf('tasks', task.function);
          const parent = client.queuePath(config.project, config.region, queue);
          const url = audienceOf(config, task.function);
          try {
            await client.createTask(
              {
                parent,
                task: {
                  // Hashed: consecutive names would share a shard of the queue.
                  name: `${parent}/tasks/${sha256Hex(task.name).slice(0, 40)}`,
                  ...(task.at && {
                    scheduleTime: {
                      seconds: Math.floor(task.at.getTime() / 1_000),
                      nanos: (task.at.getTime() % 1_000) * 1_000_000,
                    },
                  }),
                  httpRequest: {
                    url,
                    httpMethod: 'POST',
                    headers: { 'content-type': 'application/json' },
                    body: Buffer.from(JSON.stringify(task.payload)),
                    oidcToken: {
                      serviceAccountEmail: config.task_service_account,
                      audience: url,
                    },
                  },
                },
              },
              CALL,
            );
          } catch (error) {
            if (!(error instanceof Error && 'code' in error && error.code === ALREADY_EXISTS))
              throw error;
          }
        }
      };
      await Promise.all(Array.from({ length: Math.min(PARALLEL, tasks.length) }, worker));
    },
  };
}
