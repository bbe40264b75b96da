import type { Firestore } from '@google-cloud/firestore';
import type { KeyManagementServiceClient } from '@google-cloud/kms';
import type { v1 } from '@google-cloud/pubsub';
import type { CloudTasksClient } from '@google-cloud/tasks';

import type { Config } from '../runtime/config.ts';

/**
 * Google's clients, each imported on first use: an import costs a cold start 60 to 270 ms, and most
 * functions need one or two of them.
 */
export interface Clients {
  readonly firestore: () => Promise<Firestore>;
  readonly publisher: () => Promise<v1.PublisherClient>;
  readonly tasks: () => Promise<CloudTasksClient>;
  readonly kms: () => Promise<KeyManagementServiceClient>;
  readonly close: () => Promise<void>;
}

const once = <T>(make: () => Promise<T>) => {
  let made: Promise<T> | undefined;
  // A failed attempt is not kept: the next caller tries again.
  const get = () =>
    (made ??= make().catch((error: unknown) => {
      made = undefined;
      throw error;
    }));
  return { get, made: () => made };
};

export function createClients(config: Config): Clients {
  const { project, cloud_endpoint: endpoint } = config;
  const options = async () => {
    if (endpoint === undefined) return { projectId: project };
    const { credentials } = await import('@grpc/grpc-js');
    const [host, port] = endpoint.split(':');
    return {
      projectId: project,
      apiEndpoint: host ?? '127.0.0.1',
      port: Number(port),
      sslCreds: credentials.createInsecure(),
    };
  };
  const firestore = once(async () => {
    const google = await import('@google-cloud/firestore');
    return new google.Firestore({
      projectId: project,
      ignoreUndefinedProperties: true,
      ...(endpoint !== undefined && { host: endpoint, ssl: false }),
    });
  });
  const publisher = once(async () => {
    const google = await import('@google-cloud/pubsub');
    return new google.v1.PublisherClient(await options());
  });
  const tasks = once(async () => {
    const google = await import('@google-cloud/tasks');
    return new google.CloudTasksClient(await options());
  });
  const kms = once(async () => {
    const google = await import('@google-cloud/kms');
    return new google.KeyManagementServiceClient(await options());
  });
  return {
    firestore: firestore.get,
    publisher: publisher.get,
    tasks: tasks.get,
    kms: kms.get,
    close: async () => {
      const made = [publisher.made(), tasks.made(), kms.made()];
      await Promise.all([
        firestore.made()?.then((client) => client.terminate()),
        ...made.map(async (client) => (await client)?.close()),
      ]);
    },
  };
}
