import { mkdtempSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { createRequire } from 'node:module';
import type { KeyManagementServiceClient } from '@google-cloud/kms';
import type { v1 as pubsub } from '@google-cloud/pubsub';
import type { CloudSchedulerClient } from '@google-cloud/scheduler';
import type { CloudTasksClient } from '@google-cloud/tasks';
import { credentials } from '@grpc/grpc-js';
import { createLocalJWKSet, jwtVerify } from 'jose';

import { type CloudOptions, startCloud } from '../../../local/cloud.ts';
import { ManualClock } from '../../../local/kernel/clock.ts';
import { type Received, startTarget } from './target.ts';

// Keeps Google's clients from looking for a metadata server.
process.env['METADATA_SERVER_DETECTION'] = 'none';

export const PROJECT = 'purvey-test';
export const LOCATION = `projects/${PROJECT}/locations/europe-west1`;
export const ACCOUNT = `caller@${PROJECT}.iam.gserviceaccount.com`;

export const temporaryFile = (): string => join(mkdtempSync(join(tmpdir(), 'cloud-')), 'cloud.db');

/** Each of Google's packages takes a quarter of a second to load: a test file loads what it uses. */
const load = createRequire(import.meta.url);

/** Google's clients, pointed at a port of this machine. */
export function connect(port: number) {
  const options = {
    apiEndpoint: '127.0.0.1',
    port,
    projectId: PROJECT,
    sslCreds: credentials.createInsecure(),
  };
  const made = new Map<string, { close(): Promise<void> }>();
  function client<T extends { close(): Promise<void> }>(packageName: string, className: string): T {
    const known = made.get(className);
    if (known) return known as T;
    const all = load(`@google-cloud/${packageName}`) as { v1?: object };
    const from = packageName === 'pubsub' ? all.v1 : all;
    const Client = (from as Record<string, new (settings: object) => T>)[className];
    if (!Client) throw new Error(`@google-cloud/${packageName} has no ${className}`);
    const fresh = new Client(options);
    made.set(className, fresh);
    return fresh;
  }
  return {
    get tasks() {
      return client<CloudTasksClient>('tasks', 'CloudTasksClient');
    },
    get publisher() {
      return client<pubsub.PublisherClient>('pubsub', 'PublisherClient');
    },
    get subscriber() {
      return client<pubsub.SubscriberClient>('pubsub', 'SubscriberClient');
    },
    get kms() {
      return client<KeyManagementServiceClient>('kms', 'KeyManagementServiceClient');
    },
    get scheduler() {
      return client<CloudSchedulerClient>('scheduler', 'CloudSchedulerClient');
    },
    close: () => Promise.all([...made.values()].map((each) => each.close())),
  };
}

/** An embedded cloud with standing time, Google's clients and an HTTP target. */
export async function startTestCloud(
  react?: Parameters<typeof startTarget>[0],
  options: Partial<CloudOptions> = {},
) {
  const clock = new ManualClock();
  const target = await startTarget(react);
  const start = () => startCloud({ project: PROJECT, clock, targetWorkMs: 100, ...options });
  let cloud = await start();
  let google = connect(cloud.port);
  return {
    clock,
    target,
    get cloud() {
      return cloud;
    },
    get google() {
      return google;
    },
    /** Moves time and waits for what it sets off. */
    async pass(ms: number) {
      await clock.advance(ms);
      await cloud.idle();
    },
    /** Ends the cloud and starts it again on the same file. */
    async restart() {
      await google.close();
      await cloud.close();
      cloud = await start();
      google = connect(cloud.port);
    },
    /** The claims of a request's bearer token, verified against the cloud's key. */
    async claims(request: Received | undefined, audience: string) {
      const token = request?.headers.authorization?.replace('Bearer ', '') ?? '';
      const { payload } = await jwtVerify(token, createLocalJWKSet(cloud.identity.jwks()), {
        issuer: cloud.identity.issuer,
        audience,
        currentDate: new Date(clock.nowMs()),
      });
      return payload;
    },
    async stop() {
      target.release();
      await google.close();
      await cloud.close();
      await target.stop();
    },
  };
}

export type TestCloud = Awaited<ReturnType<typeof startTestCloud>>;
