import { Firestore as Client, v1 } from '@google-cloud/firestore';
import { credentials } from '@grpc/grpc-js';

import {
  type Concurrency,
  createFirestore,
  type IndexDefinitions,
} from '../../../local/firestore/server.ts';
import { ManualClock } from '../../../local/kernel/clock.ts';
import { Faults } from '../../../local/kernel/faults.ts';
import { serveGrpc } from '../../../local/kernel/grpc.ts';
import { Journal } from '../../../local/kernel/journal.ts';
import { Meter, type Usage } from '../../../local/kernel/meter.ts';
import { retryQuickly } from './quick-retries.ts';

retryQuickly();
// Keeps Google's client from looking for a metadata server.
process.env['METADATA_SERVER_DETECTION'] = 'none';

interface Options {
  /** The journal's path; in memory by default. */
  readonly file?: string;
  readonly indexes?: IndexDefinitions | 'any';
  readonly concurrency?: Concurrency;
}

/** Full name of the database that the tests' clients use. */
export const DATABASE = 'projects/purvey-test/databases/(default)';

/** An embedded Firestore on a real port, with what a test needs to steer and observe it. */
export async function startFirestore({
  file = ':memory:',
  indexes = { indexes: [] },
  concurrency = 'pessimistic',
}: Options = {}) {
  const clock = new ManualClock();
  const meter = new Meter();
  const faults = new Faults();
  const journal = new Journal(file);
  const service = createFirestore({ journal, meter, clock, indexes, concurrency });
  const server = await serveGrpc([service], { journal, meter, faults });
  const clients: Client[] = [];

  const connect = () => {
    const client = new Client({
      projectId: 'purvey-test',
      host: `127.0.0.1:${server.port}`,
      ssl: false,
    });
    clients.push(client);
    return client;
  };

  return {
    clock,
    meter,
    faults,
    service,
    port: server.port,
    client: connect(),
    /** A further client, as from another process. */
    connect,
    async stop() {
      for (const client of clients) await client.terminate();
      server.close();
      journal.close();
    },
  };
}

/** Google's generated client, for what its usual one never sends. */
export const rawClient = ({ port }: { readonly port: number }) =>
  new v1.FirestoreClient({
    servicePath: '127.0.0.1',
    port,
    sslCreds: credentials.createInsecure(),
  });

export type TestFirestore = Awaited<ReturnType<typeof startFirestore>>;

/** What the work alone was billed for. */
export async function billFor(
  { meter }: Pick<TestFirestore, 'meter'>,
  work: () => Promise<unknown>,
): Promise<Pick<Usage, 'reads' | 'writes' | 'deletes'>> {
  const { usage } = await meter.measure(work);
  return { reads: usage.reads, writes: usage.writes, deletes: usage.deletes };
}

/** gRPC status codes, by which Google's client reports failures. */
export const code = {
  invalidArgument: 3,
  notFound: 5,
  alreadyExists: 6,
  failedPrecondition: 9,
  aborted: 10,
  unimplemented: 12,
  unavailable: 14,
} as const;
