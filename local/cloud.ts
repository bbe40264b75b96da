import { createFirestore, type Firestore, type IndexDefinitions } from './firestore/server.ts';
import { createIdentity, type Identity } from './identity/identity.ts';
import { untilQuiet } from './kernel/activity.ts';
import { type Clock, SystemClock } from './kernel/clock.ts';
import { createDispatcher, type Dispatcher } from './kernel/dispatch.ts';
import { Faults } from './kernel/faults.ts';
import { serveGrpc } from './kernel/grpc.ts';
import { type Entry, Journal } from './kernel/journal.ts';
import { Meter } from './kernel/meter.ts';
import { createKms, type Kms } from './kms/server.ts';
import { createPubsub, type Pubsub } from './pubsub/server.ts';
import { createScheduler, type Scheduler } from './scheduler/server.ts';
import { createTasks, type Tasks } from './tasks/server.ts';

export interface CloudOptions {
  readonly project: string;
  /** The SQLite file with the state of every product. Defaults to memory, which forgets. */
  readonly file?: string;
  /** Defaults to the machine's time. */
  readonly clock?: Clock;
  /** Forget what the file holds. */
  readonly fresh?: boolean;
  /** Where every product answers gRPC, on loopback; 0, the default, picks a free port. */
  readonly port?: number;
  /** The content of firestore.indexes.json. */
  readonly indexes?: IndexDefinitions;
  /** Keep tasks, pushes and jobs back until `releaseDeliveries()`: for targets that start later. */
  readonly holdDeliveries?: boolean;
  /** Host names of delivery targets that stand for a port of this machine. */
  readonly routes?: Readonly<Record<string, number>>;
  /** Real time that a delivery's target gets at least, however far the clock is moved; default 1,000. */
  readonly targetWorkMs?: number;
  /** Puts something between the products and their deliveries, to watch them go. */
  readonly watchDeliveries?: (dispatcher: Dispatcher) => Dispatcher;
}

/** The embedded Google Cloud: all products on one port, one clock and one file. */
export interface Cloud {
  readonly port: number;
  readonly project: string;
  readonly clock: Clock;
  readonly meter: Meter;
  readonly faults: Faults;
  readonly journal: Journal;
  readonly identity: Identity;
  readonly firestore: Firestore;
  readonly pubsub: Pubsub;
  readonly tasks: Tasks;
  readonly kms: Kms;
  readonly scheduler: Scheduler;
  releaseDeliveries(): void;
  /** The state of every product; the clock, the meter and the faults are no part of it. */
  snapshot(): CloudSnapshot;
  /**
   * Goes back to a snapshot, of this embedded cloud or another, as if it had been shut down since: what
   * came due meanwhile is due at once, deliveries in flight come to nothing, streams end. Time does not
   * go back. The snapshot stays good.
   */
  restore(snapshot: CloudSnapshot): Promise<void>;
  /** Resolves when nothing is in flight and only future-dated work is left, in any product. */
  idle(): Promise<void>;
  /** Harmless when repeated. */
  close(): Promise<void>;
}

export interface CloudSnapshot {
  readonly firestore: ReturnType<Firestore['dump']>;
  readonly entries: readonly Entry[];
}

/** The tables of the products that read their state from the journal; Firestore restores itself. */
const isProductTable = (table: string): boolean => /^(?:pubsub|tasks|kms|scheduler)\./.test(table);

const SQLITE_BUSY = 5;

/** Opens the file for this process alone; SQLite's lock ends with the process, even a killed one. */
function openJournal(file: string): Journal {
  try {
    return new Journal(file);
  } catch (error) {
    if (error instanceof Error && 'errcode' in error && error.errcode === SQLITE_BUSY)
      throw new Error(`another process is using ${file}; stop it first`, { cause: error });
    throw error;
  }
}

export async function startCloud(options: CloudOptions): Promise<Cloud> {
  const { project, clock = new SystemClock(), watchDeliveries = (plain) => plain } = options;
  const journal = openJournal(options.file ?? ':memory:');
  if (options.fresh) journal.clear();
  const meter = new Meter();
  const faults = new Faults();
  const identity = createIdentity({ journal, clock });
  const dispatcher = watchDeliveries(
    createDispatcher({
      clock,
      faults,
      isHeld: options.holdDeliveries ?? false,
      ...(options.routes && { routes: options.routes }),
      ...(options.targetWorkMs !== undefined && { workMs: options.targetWorkMs }),
    }),
  );
  const parts = { journal, meter, clock, identity, dispatcher, faults };
  const firestore = createFirestore({ ...parts, indexes: options.indexes ?? { indexes: [] } });
  const pubsub = createPubsub(parts);
  const tasks = createTasks(parts);
  const kms = createKms(parts);
  const scheduler = createScheduler(parts);
  const products = [pubsub, tasks, kms, scheduler];

  const closeParts = () => {
    for (const product of products) product.close();
    dispatcher.close();
    journal.close();
  };
  const services = [firestore, ...products.flatMap((product) => product.services)];
  let server;
  try {
    server = await serveGrpc(services, { journal, meter, faults }, options.port);
  } catch (error) {
    closeParts();
    throw error;
  }
  const { port, close: closeServer } = server;
  let closed: Promise<void> | undefined;
  const close = async () => {
    closeServer();
    // What the calls just cut off have changed goes to disk too.
    await new Promise((done) => setImmediate(done));
    closeParts();
  };
  return {
    port,
    project,
    clock,
    meter,
    faults,
    journal,
    identity,
    firestore,
    pubsub,
    tasks,
    kms,
    scheduler,
    releaseDeliveries: () => dispatcher.release(),
    snapshot: () => ({ firestore: firestore.dump(), entries: journal.dump(isProductTable) }),
    async restore(snapshot) {
      firestore.restore(snapshot.firestore);
      journal.replace(isProductTable, snapshot.entries);
      for (const product of products) product.reload();
      await journal.flushed();
    },
    idle: () => untilQuiet(() => products.some((product) => product.isBusy())),
    close: () => (closed ??= close()),
  };
}
