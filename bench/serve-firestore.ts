/*
 * The embedded Firestore in a process of its own, as Google's emulator is: for bench/local-firestore.ts,
 * and for whatever else is to run against it. `node bench/serve-firestore.ts [port]`
 */
import { createFirestore } from '../local/firestore/server.ts';
import { SystemClock } from '../local/kernel/clock.ts';
import { Faults } from '../local/kernel/faults.ts';
import { serveGrpc } from '../local/kernel/grpc.ts';
import { Journal } from '../local/kernel/journal.ts';
import { Meter } from '../local/kernel/meter.ts';

const parts = { journal: new Journal(':memory:'), meter: new Meter() };
const service = createFirestore({ ...parts, clock: new SystemClock(), indexes: 'any' });
const { port } = await serveGrpc(
  [service],
  { ...parts, faults: new Faults() },
  Number(process.argv[2] ?? 0),
);
process.on('message', () => process.send?.({ rssBytes: process.memoryUsage().rss }));
if (process.send) process.send({ port });
else process.stdout.write(`Firestore answers at 127.0.0.1:${port}\n`);
