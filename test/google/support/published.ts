import { v1 } from '@google-cloud/pubsub';
import { CloudTasksClient } from '@google-cloud/tasks';
import { credentials } from '@grpc/grpc-js';

import type { Config } from '../../../shared/runtime/config.ts';
import type { DomainEvent } from '../../../shared/store/decision.ts';

interface SeenEvent {
  readonly attributes: Readonly<Record<string, string>>;
  readonly envelope: Readonly<Record<string, unknown>>;
}

interface SeenTask {
  readonly name: string;
  readonly url: string;
  readonly payload: unknown;
  readonly atMs: number;
  readonly identity: string;
  readonly audience: string;
}

/** What reaches Pub/Sub and Cloud Tasks, seen from their other side. */
export interface Seen {
  /** Events published since the last call. */
  events(): Promise<SeenEvent[]>;
  tasks(queue: string): Promise<SeenTask[]>;
  close(): Promise<void>;
}

export async function watch(config: Config, topic: DomainEvent['topic']): Promise<Seen> {
  const [apiEndpoint = '', port] = (config.cloud_endpoint ?? '').split(':');
  const options = {
    projectId: config.project,
    apiEndpoint,
    port: Number(port),
    sslCreds: credentials.createInsecure(),
  };
  const subscriber = new v1.SubscriberClient(options);
  const tasks = new CloudTasksClient(options);
  const subscription = subscriber.subscriptionPath(config.project, `seen-${topic}`);
  await subscriber.createSubscription({
    name: subscription,
    topic: `projects/${config.project}/topics/${topic}`,
  });
  return {
    async events() {
      const [{ receivedMessages }] = await subscriber.pull({ subscription, maxMessages: 1_000 });
      const received = receivedMessages ?? [];
      if (received.length > 0)
        await subscriber.acknowledge({
          subscription,
          ackIds: received.map(({ ackId }) => ackId ?? ''),
        });
      return received.map(({ message }) => ({
        attributes: { ...message?.attributes },
        envelope: JSON.parse(Buffer.from(message?.data ?? '').toString('utf8')),
      }));
    },
    async tasks(queue) {
      const parent = tasks.queuePath(config.project, config.region, queue);
      const [listed] = await tasks.listTasks({ parent, responseView: 'FULL' });
      return listed.map(({ name, httpRequest, scheduleTime }) => ({
        name: name ?? '',
        url: httpRequest?.url ?? '',
        payload: JSON.parse(Buffer.from(httpRequest?.body ?? '').toString('utf8')),
        atMs: Number(scheduleTime?.seconds) * 1_000 + Number(scheduleTime?.nanos ?? 0) / 1e6,
        identity: httpRequest?.oidcToken?.serviceAccountEmail ?? '',
        audience: httpRequest?.oidcToken?.audience ?? '',
      }));
    },
    async close() {
      await subscriber.close();
      await tasks.close();
    },
  };
}
