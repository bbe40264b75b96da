/* The embedded Firestore in a process of its own, as Google's emulator is, for bench/local-firestore.ts. */
import { createFirestore } from '../local/firestore/server.ts';
import { SystemClock } from '../local/kernel/clock.ts';
import { Faults } from '../local/kernel/faults.ts';
import { serveGrpc } from '../local/kernel/grpc.ts';
import { Journal } from '../local/kernel/journal.ts';
import { Meter } from '../local/kernel/meter.ts';

const parts = { journal: new Journal(':memory:'), meter: new Meter() };
const service = createFirestore({ ...parts, clock: new SystemClock(), indexes: 'any' });
const { port } = await serveGrpc([service], { ...parts, faults: new Faults() });
process.on('message', () => process.send?.({ rssBytes: process.memoryUsage().rss }));
process.send?.({ port });
