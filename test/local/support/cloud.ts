import { mkdtempSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { KeyManagementServiceClient } from '@google-cloud/kms';
import { v1 as pubsub } from '@google-cloud/pubsub';
import { CloudSchedulerClient } from '@google-cloud/scheduler';
import { CloudTasksClient } from '@google-cloud/tasks';
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

/** Google's clients, pointed at a port of this machine. */
export function connect(port: number) {
  const options = {
    apiEndpoint: '127.0.0.1',
    port,
    projectId: PROJECT,
    sslCreds: credentials.createInsecure(),
  };
  const clients = {
    tasks: new CloudTasksClient(options),
    publisher: new pubsub.PublisherClient(options),
    subscriber: new pubsub.SubscriberClient(options),
    kms: new KeyManagementServiceClient(options),
    scheduler: new CloudSchedulerClient(options),
  };
  return {
    ...clients,
    close: () => Promise.all(Object.values(clients).map((client) => client.close())),
  };
}

/** An embedded cloud with standing time, Google's clients and an HTTP target. */
export async function startTestCloud(
  react?: Parameters<typeof startTarget>[0],
  options: Partial<CloudOptions> = {},
) {
  const clock = new ManualClock();
  const target = await startTarget(react);
  const start = () => startCloud({ project: PROJECT, clock, ...options });
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
