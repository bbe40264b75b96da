import { Firestore as Client } from '@google-cloud/firestore';
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
const RUNS = Number(process.env['FIRESTORE_DIFFERENTIAL_RUNS'] ?? 200);

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

  test('random sequences of operations have the same answers, errors and final state', async () => {
    let runs = 0;
    const session = Date.now().toString(36);
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
      { numRuns: RUNS },
    );
  }, 600_000);
});
