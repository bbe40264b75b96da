import { isDeepStrictEqual } from 'node:util';
import { KeyManagementServiceClient } from '@google-cloud/kms';
import { v1 as pubsub } from '@google-cloud/pubsub';
import { CloudSchedulerClient } from '@google-cloud/scheduler';
import { CloudTasksClient } from '@google-cloud/tasks';
import { credentials } from '@grpc/grpc-js';

import type { Config } from '../shared/runtime/config.ts';
import type { Manifest } from '../shared/runtime/manifest.ts';
import { toMs, type WireTime } from './kernel/proto-time.ts';

/** gRPC's ALREADY_EXISTS: a second start finds what the first one made. */
const ALREADY_EXISTS = 6;

/** What a start has done to the embedded cloud; full resource names. */
export interface Provisioned {
  readonly created: string[];
  readonly updated: string[];
  /** Made anew, because what has changed is fixed at creation; undelivered messages are lost, as in production. */
  readonly replaced: string[];
  /** There, but not in the manifest any more. Nothing is removed. */
  readonly left: string[];
}

/** Returns false if it exists already. */
async function isMade(made: Promise<unknown>): Promise<boolean> {
  try {
    await made;
    return true;
  } catch (error) {
    if (error instanceof Error && 'code' in error && error.code === ALREADY_EXISTS) return false;
    throw error;
  }
}

const seconds = (s: number) => ({ seconds: Math.floor(s), nanos: Math.round((s % 1) * 1e9) });

/** Comparable whether it was written by us or read from the wire. */
const msOf = (time: WireTime | null | undefined) => toMs(time) ?? 0;

/** What `gcp-sa` identities push and schedule as; named like their production counterparts. */
const identity = (config: Config, role: 'push' | 'scheduler') =>
  `${role}@${config.project}.iam.gserviceaccount.com`;

function connect(config: Config) {
  const [apiEndpoint = '127.0.0.1', port] = (config.cloud_endpoint ?? '').split(':');
  const options = {
    projectId: config.project,
    apiEndpoint,
    port: Number(port),
    sslCreds: credentials.createInsecure(),
  };
  return {
    tasks: new CloudTasksClient(options),
    publisher: new pubsub.PublisherClient(options),
    subscriber: new pubsub.SubscriberClient(options),
    kms: new KeyManagementServiceClient(options),
    scheduler: new CloudSchedulerClient(options),
  };
}

type Clients = ReturnType<typeof connect>;

/** What the parts below need. */
interface Work {
  readonly google: Clients;
  readonly config: Config;
  readonly location: string;
  readonly done: Provisioned;
  readonly urlOf: (name: string) => string;
}

const leave = (
  done: Provisioned,
  names: readonly (string | null | undefined)[],
  wanted: string[],
) => void done.left.push(...names.flatMap((name) => (name && !wanted.includes(name) ? name : [])));

async function makeQueues({ google: { tasks }, location, done }: Work, queues: Manifest['queues']) {
  const wanted = Object.entries(queues).map(([name, queue]) => ({
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
  }));
  const limitsOf = ({ rateLimits, retryConfig }: Partial<(typeof wanted)[number]>) => [
    rateLimits?.maxDispatchesPerSecond,
    rateLimits?.maxConcurrentDispatches,
    retryConfig?.maxAttempts,
    msOf(retryConfig?.minBackoff),
    msOf(retryConfig?.maxBackoff),
  ];
  const make = async (queue: (typeof wanted)[number]) => {
    if (await isMade(tasks.createQueue({ parent: location, queue })))
      return void done.created.push(queue.name);
    const [current] = await tasks.getQueue({ name: queue.name });
    if (isDeepStrictEqual(limitsOf(current as typeof queue), limitsOf(queue))) return;
    const paths = ['max_dispatches_per_second', 'max_concurrent_dispatches'].map(
      (field) => `rate_limits.${field}`,
    );
    paths.push(
      ...['max_attempts', 'min_backoff', 'max_backoff'].map((field) => `retry_config.${field}`),
    );
    await tasks.updateQueue({ queue, updateMask: { paths } });
    done.updated.push(queue.name);
  };
  await Promise.all(wanted.map(make));
  const [all] = await tasks.listQueues({ parent: location });
  leave(
    done,
    all.map(({ name }) => name),
    wanted.map(({ name }) => name),
  );
}

async function makeTopics({ google: { publisher }, config, done }: Work, topics: string[]) {
  const project = `projects/${config.project}`;
  const wanted = topics.map((topic) => `${project}/topics/${topic}`);
  await Promise.all(
    wanted.map(async (name) => {
      if (await isMade(publisher.createTopic({ name }))) done.created.push(name);
    }),
  );
  const [all] = await publisher.listTopics({ project });
  leave(
    done,
    all.map(({ name }) => name),
    wanted,
  );
}

async function makeSubscriptions(work: Work, subscribers: Manifest['pubsub']) {
  const { google, config, done, urlOf } = work;
  const { subscriber } = google;
  const project = `projects/${config.project}`;
  const deadLetterTopic = `${project}/topics/purvey-deadletter`;
  const wanted = Object.entries(subscribers).map(([name, { topic, filter }]) => ({
    name: `${project}/subscriptions/${name}`,
    topic: `${project}/topics/${topic}`,
    ackDeadlineSeconds: 60,
    filter: filter ?? '',
    retryPolicy: { minimumBackoff: seconds(10), maximumBackoff: seconds(600) },
    // What cannot be handled goes to the dead letters; their own reader retries for ever.
    ...(topic !== 'purvey-deadletter' && {
      deadLetterPolicy: { deadLetterTopic, maxDeliveryAttempts: 5 },
    }),
    pushConfig: {
      pushEndpoint: `${urlOf(name)}?__GCP_CloudEventsMode=CE_PUBSUB_BINDING`,
      oidcToken: { serviceAccountEmail: identity(config, 'push'), audience: urlOf(name) },
    },
  }));
  const make = async (settings: (typeof wanted)[number]) => {
    const { name: subscription } = settings;
    if (await isMade(subscriber.createSubscription(settings)))
      return void done.created.push(subscription);
    const [current] = await subscriber.getSubscription({ subscription });
    if (current.topic !== settings.topic || (current.filter ?? '') !== settings.filter) {
      await subscriber.deleteSubscription({ subscription });
      await subscriber.createSubscription(settings);
      return void done.replaced.push(subscription);
    }
    const changeable = ({
      ackDeadlineSeconds,
      pushConfig,
      retryPolicy,
      deadLetterPolicy,
    }: typeof current) => [
      ackDeadlineSeconds,
      pushConfig?.pushEndpoint,
      pushConfig?.oidcToken?.serviceAccountEmail,
      pushConfig?.oidcToken?.audience,
      msOf(retryPolicy?.minimumBackoff),
      msOf(retryPolicy?.maximumBackoff),
      deadLetterPolicy?.deadLetterTopic,
      deadLetterPolicy?.maxDeliveryAttempts,
    ];
    if (isDeepStrictEqual(changeable(current), changeable(settings))) return;
    const paths = ['ack_deadline_seconds', 'push_config', 'retry_policy', 'dead_letter_policy'];
    await subscriber.updateSubscription({ subscription: settings, updateMask: { paths } });
    done.updated.push(subscription);
  };
  await Promise.all(wanted.map(make));
  const [all] = await subscriber.listSubscriptions({ project });
  leave(
    done,
    all.map(({ name }) => name),
    wanted.map(({ name }) => name),
  );
}

async function makeKey({ google: { kms }, config, done }: Work) {
  const [ring = '', cryptoKeyId = ''] = config.kms_key.split('/cryptoKeys/');
  const [parent = '', keyRingId = ''] = ring.split('/keyRings/');
  await isMade(kms.createKeyRing({ parent, keyRingId, keyRing: {} }));
  const cryptoKey = { purpose: 'ENCRYPT_DECRYPT' as const };
  if (await isMade(kms.createCryptoKey({ parent: ring, cryptoKeyId, cryptoKey })))
    done.created.push(config.kms_key);
}

async function makeJobs(work: Work, schedules: Manifest['schedules']) {
  const { google, config, location, done, urlOf } = work;
  const { scheduler } = google;
  const wanted = Object.entries(schedules).map(([name, { cron, time_zone: timeZone }]) => ({
    name: `${location}/jobs/${name}`,
    schedule: cron,
    timeZone,
    httpTarget: {
      uri: urlOf(name),
      httpMethod: 'POST' as const,
      oidcToken: { serviceAccountEmail: identity(config, 'scheduler'), audience: urlOf(name) },
    },
  }));
  const make = async (job: (typeof wanted)[number]) => {
    if (await isMade(scheduler.createJob({ parent: location, job })))
      return void done.created.push(job.name);
    const [current] = await scheduler.getJob({ name: job.name });
    const changeable = ({ schedule, timeZone, httpTarget }: typeof current) => [
      schedule,
      timeZone,
      httpTarget?.uri,
      httpTarget?.oidcToken?.serviceAccountEmail,
      httpTarget?.oidcToken?.audience,
    ];
    // An update would drop a run that was missed, so only what has changed is updated.
    if (isDeepStrictEqual(changeable(current), changeable(job))) return;
    const updateMask = { paths: ['schedule', 'time_zone', 'http_target'] };
    await scheduler.updateJob({ job, updateMask });
    done.updated.push(job.name);
  };
  await Promise.all(wanted.map(make));
  const [all] = await scheduler.listJobs({ parent: location });
  leave(
    done,
    all.map(({ name }) => name),
    wanted.map(({ name }) => name),
  );
}

/**
 * Brings the embedded cloud to what the manifest says, as Terraform does in production: queues, topics,
 * push subscriptions, the key ring and the jobs, over the real protocols.
 */
export async function provision(
  { queues, topics, pubsub: subscribers, schedules }: Manifest,
  config: Config,
): Promise<Provisioned> {
  const google = connect(config);
  const work: Work = {
    google,
    config,
    location: `projects/${config.project}/locations/${config.region}`,
    done: { created: [], updated: [], replaced: [], left: [] },
    urlOf: (name) => config.function_url.replace('{name}', name),
  };
  try {
    await Promise.all([
      makeQueues(work, queues),
      makeTopics(work, topics).then(() => makeSubscriptions(work, subscribers)),
      makeKey(work),
      makeJobs(work, schedules),
    ]);
    return work.done;
  } finally {
    await Promise.all(Object.values(google).map((client) => client.close()));
  }
}
