import {
  AggregateField,
  type CollectionReference,
  FieldPath,
  Filter,
  Firestore as Client,
} from '@google-cloud/firestore';
import fc from 'fast-check';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';

import { createFirestore } from '../../../local/firestore/server.ts';
import { SystemClock } from '../../../local/kernel/clock.ts';
import { Faults } from '../../../local/kernel/faults.ts';
import { serveGrpc } from '../../../local/kernel/grpc.ts';
import { Journal } from '../../../local/kernel/journal.ts';
import { Meter } from '../../../local/kernel/meter.ts';
import { sequence } from './firestore-operations.ts';
import { createSide } from './firestore-side.ts';

// Keeps Google's client from looking for a metadata server.
process.env['METADATA_SERVER_DETECTION'] = 'none';

/** `host:port` of the server to compare ours with; `npm run test:emulators` sets it. */
const emulator = process.env['FIRESTORE_EMULATOR_UNDER_TEST'];
const RUNS = Number(process.env['FIRESTORE_DIFFERENTIAL_RUNS'] ?? 60);
/** To repeat a run; it is printed, and so is what differs. */
const SEED = Number(process.env['FIRESTORE_DIFFERENTIAL_SEED'] ?? Date.now() % 2 ** 31);
/** Shrinking included. What is asked for by number is given its time. */
const LIMIT_MS = RUNS > 60 ? 500_000 : 40_000;

const INVALID_ARGUMENT = 3;
const sum = AggregateField.sum('b');

const say = (what: string) => process.stdout.write(`firestore differential: ${what}\n`);

const clientOf = (host: string) =>
  new Client({ projectId: 'purvey-differential', host, ssl: false, useBigInt: true });

/** Google's emulator asks for no composite indexes, so here ours does not either. */
async function startOurs() {
  const parts = { journal: new Journal(':memory:'), meter: new Meter() };
  const service = createFirestore({ ...parts, clock: new SystemClock(), indexes: 'any' });
  const server = await serveGrpc([service], { ...parts, faults: new Faults() });
  const close = () => {
    server.close();
    parts.journal.close();
  };
  return { host: `127.0.0.1:${server.port}`, close };
}

describe.skipIf(!emulator)("beside Google's emulator", () => {
  let ours: Awaited<ReturnType<typeof startOurs>>;
  let clients: { readonly ours: Client; readonly theirs: Client };
  beforeAll(async () => {
    ours = await startOurs();
    clients = { ours: clientOf(ours.host), theirs: clientOf(emulator ?? '') };
  });
  afterAll(async () => {
    await clients.ours.terminate();
    await clients.theirs.terminate();
    ours.close();
  });

  test.each<[string, (all: CollectionReference) => { get(): Promise<unknown> }]>([
    ['two negations', (all) => all.where('a', '!=', 1).where('b', '!=', 1)],
    [
      'negations in alternatives',
      (all) => all.where(Filter.or(Filter.where('a', '!=', 1), Filter.where('b', '!=', 1))),
    ],
    ['a sum beyond a projection', (all) => all.select('a').aggregate({ sum })],
    ['a sum beyond the keys', (all) => all.select().aggregate({ sum })],
    [
      'a sum ordered by name first',
      (all) => all.orderBy(FieldPath.documentId()).aggregate({ sum }),
    ],
  ])('refused by both: %s', { concurrent: true }, async (_, ask) => {
    const collection = (client: Client) => client.collection('refused');
    const codes = [clients.ours, clients.theirs].map((client) =>
      ask(collection(client))
        .get()
        .then(() => 'answered')
        .catch((error: { code?: unknown }) => error.code),
    );
    expect(await Promise.all(codes)).toEqual([INVALID_ARGUMENT, INVALID_ARGUMENT]);
  });

  test('random sequences of operations have the same answers, errors and final state', async () => {
    let runs = 0;
    const session = Date.now().toString(36);
    say(`${RUNS} sequences, seed ${SEED}`);
    await fc.assert(
      fc.asyncProperty(sequence, async (operations) => {
        const run = `${session}-${++runs}`;
        const our = createSide(clients.ours, run);
        const their = createSide(clients.theirs, run);
        for (const operation of operations) {
          const [ourOutcome, theirOutcome] = await Promise.all([
            our.outcomeOf(operation),
            their.outcomeOf(operation),
          ]);
          expect({ operation, outcome: ourOutcome }).toEqual({ operation, outcome: theirOutcome });
        }
        expect(await our.finalState()).toEqual(await their.finalState());
      }),
      { numRuns: RUNS, seed: SEED, interruptAfterTimeLimit: LIMIT_MS },
    );
    say(`${runs} sequences agreed`);
  }, 600_000);
});
