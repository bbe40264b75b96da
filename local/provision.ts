import { KeyManagementServiceClient } from '@google-cloud/kms';
import { v1 as pubsub } from '@google-cloud/pubsub';
import { CloudSchedulerClient } from '@google-cloud/scheduler';
import { CloudTasksClient } from '@google-cloud/tasks';
import { credentials } from '@grpc/grpc-js';

import type { Config } from '../shared/runtime/config.ts';
import type { Manifest } from '../shared/runtime/manifest.ts';

/** gRPC's ALREADY_EXISTS: a second start finds what the first one made. */
const ALREADY_EXISTS = 6;

const unlessThere = async (made: Promise<unknown>): Promise<void> => {
  try {
    await made;
  } catch (error) {
    if (!(error instanceof Error && 'code' in error && error.code === ALREADY_EXISTS)) throw error;
  }
};

const seconds = (s: number) => ({ seconds: Math.floor(s), nanos: Math.round((s % 1) * 1e9) });

/** What `gcp-sa` identities push and schedule as; named like their production counterparts. */
const identity = (config: Config, role: 'push' | 'scheduler') =>
  `${role}@${config.project}.iam.gserviceaccount.com`;

/**
 * Creates in the embedded cloud what Terraform creates in production: queues, topics, push
 * subscriptions, the key ring and the jobs, all from the manifest and over the real protocols.
 */
export async function provision(
  { queues, topics, pubsub: subscribers, schedules }: Manifest,
  config: Config,
): Promise<void> {
  const [apiEndpoint = '127.0.0.1', port] = (config.cloud_endpoint ?? '').split(':');
  const options = {
    projectId: config.project,
    apiEndpoint,
    port: Number(port),
    sslCreds: credentials.createInsecure(),
  };
  const tasks = new CloudTasksClient(options);
  const publisher = new pubsub.PublisherClient(options);
  const subscriber = new pubsub.SubscriberClient(options);
  const kms = new KeyManagementServiceClient(options);
  const scheduler = new CloudSchedulerClient(options);
  const location = `projects/${config.project}/locations/${config.region}`;
  const urlOf = (name: string) => config.function_url.replace('{name}', name);

  const makeQueues = Object.entries(queues).map(([name, queue]) =>
    unlessThere(
      tasks.createQueue({
        parent: location,
        queue: {
          name: `${location}/queues/${name}`,
          rateLimits: {
            maxDispatchesPerSecond: queue.max_dispatches_per_second,
            maxConcurrentDispatches: queue.max_concurrent,
          },
          retryConfig: {
            maxAttempts: queue.max_attempts,
            minBackoff: seconds(queue.min_backoff_s),
            maxBackoff: seconds(queue.max_backoff_s),
          },
        },
      }),
    ),
  );

  const makeTopics = async () => {
    await Promise.all(
      topics.map((topic) =>
        unlessThere(publisher.createTopic({ name: `projects/${config.project}/topics/${topic}` })),
      ),
    );
    await Promise.all(
      Object.entries(subscribers).map(([name, { topic, filter }]) =>
        unlessThere(
          subscriber.createSubscription({
            name: `projects/${config.project}/subscriptions/${name}`,
            topic: `projects/${config.project}/topics/${topic}`,
            ackDeadlineSeconds: 60,
            ...(filter !== undefined && { filter }),
            retryPolicy: { minimumBackoff: seconds(10), maximumBackoff: seconds(600) },
            // What cannot be handled goes to the dead letters; their own reader retries for ever.
            ...(topic !== 'purvey-deadletter' && {
              deadLetterPolicy: {
                deadLetterTopic: `projects/${config.project}/topics/purvey-deadletter`,
                maxDeliveryAttempts: 5,
              },
            }),
            pushConfig: {
              pushEndpoint: `${urlOf(name)}?__GCP_CloudEventsMode=CE_PUBSUB_BINDING`,
              oidcToken: { serviceAccountEmail: identity(config, 'push'), audience: urlOf(name) },
            },
          }),
        ),
      ),
    );
  };

  const makeKey = async () => {
    const [ring = '', keyId = ''] = config.kms_key.split('/cryptoKeys/');
    const [parent = '', keyRingId = ''] = ring.split('/keyRings/');
    await unlessThere(kms.createKeyRing({ parent, keyRingId, keyRing: {} }));
    await unlessThere(
      kms.createCryptoKey({
        parent: ring,
        cryptoKeyId: keyId,
        cryptoKey: { purpose: 'ENCRYPT_DECRYPT' },
      }),
    );
  };

  const makeJobs = Object.entries(schedules).map(([name, { cron, time_zone: timeZone }]) =>
    unlessThere(
      scheduler.createJob({
        parent: location,
        job: {
          name: `${location}/jobs/${name}`,
          schedule: cron,
          timeZone,
          httpTarget: {
            uri: urlOf(name),
            httpMethod: 'POST',
            oidcToken: {
              serviceAccountEmail: identity(config, 'scheduler'),
              audience: urlOf(name),
            },
          },
        },
      }),
    ),
  );

  try {
    await Promise.all([...makeQueues, makeTopics(), makeKey(), ...makeJobs]);
  } finally {
    await Promise.all([
      tasks.close(),
      publisher.close(),
      subscriber.close(),
      kms.close(),
      scheduler.close(),
    ]);
  }
}
