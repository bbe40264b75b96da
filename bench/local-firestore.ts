/*
 * The embedded Firestore's figures, one JSON object a line; beside Google's emulator in the same run
 * when FIRESTORE_EMULATOR_UNDER_TEST names one. `node bench/local-firestore.ts`
 */
import { fork, type ChildProcess } from 'node:child_process';
import { once } from 'node:events';
import { fileURLToPath } from 'node:url';

import { Firestore as Client } from '@google-cloud/firestore';

const BATCH = 500;
const SMALL = 1_000;
const LARGE = 100_000;

async function compare(): Promise<void> {
  process.env['METADATA_SERVER_DETECTION'] = 'none';
  const startMs = performance.now();
  const server = fileURLToPath(new URL('serve-firestore.ts', import.meta.url));
  // Without this, V8 rather takes memory than the time to clear it; nothing here gets slower by it.
  const child = fork(server, [], { execArgv: ['--optimize-for-size'] });
  const [{ port }] = (await once(child, 'message')) as [{ port: number }];
  report('ours', 'start-up', { ms: round(performance.now() - startMs) });
  report('ours', 'memory, empty', { megabytes: await rssOf(child) });
  await measureAll('ours', `127.0.0.1:${port}`, async () =>
    report('ours', 'memory, in use', { megabytes: await rssOf(child) }),
  );
  report('ours', 'memory, 100,000 documents', { megabytes: await rssOf(child) });
  child.disconnect();
  child.kill();

  const emulator = process.env['FIRESTORE_EMULATOR_UNDER_TEST'];
  if (emulator) await measureAll('emulator', emulator);
  else report('emulator', 'skipped', { reason: 'FIRESTORE_EMULATOR_UNDER_TEST is not set' });
}

async function measureAll(
  server: string,
  host: string,
  beforeLarge: () => Promise<void> = async () => {},
): Promise<void> {
  const connect = () => new Client({ projectId: 'purvey-bench', host, ssl: false });
  const client = connect();
  const run = client.collection('bench').doc(Date.now().toString(36));
  const doc = (i: number) => run.collection('single').doc(String(i));
  // The first calls pay for loading Google's client.
  for (let i = 0; i < 50; i++) await doc(i).set({ i });
  for (let i = 0; i < 50; i++) await doc(i).get();

  const time = async (name: string, times: number, work: (i: number) => Promise<unknown>) => {
    const took: number[] = [];
    for (let i = 0; i < times; i++) {
      const startMs = performance.now();
      await work(i);
      took.push(performance.now() - startMs);
    }
    took.sort((a, b) => a - b);
    const figures = { p50Ms: round(took[times >> 1]), p90Ms: round(took[Math.floor(times * 0.9)]) };
    report(server, name, { ...figures, times });
    return figures;
  };

  await time('set', 500, (i) => doc(i).set({ i, text: 'some text', at: new Date() }));
  await time('get', 500, (i) => doc(i).get());
  await time('transaction', 200, (i) =>
    client.runTransaction(async (transaction) => {
      const snapshot = await transaction.get(doc(i));
      transaction.update(doc(i), { i: Number(snapshot.get('i')) + 1 });
    }),
  );

  const small = run.collection('small');
  await fill(client, small, SMALL);
  await time('query of 1,000 documents', 20, () => small.orderBy('n').get());

  for (const clients of [10, 20]) {
    const counter = run.collection('counters').doc(String(clients));
    await counter.set({ count: 0 });
    const others = Array.from({ length: clients }, connect);
    await Promise.all(others.map((other) => other.doc(counter.path).get()));
    // The emulator takes 3.5 s or 12 s, by chance: fewer would measure the chance.
    await time(`${clients} contended transactions`, 7, () =>
      Promise.all(others.map((other) => increment(other, counter.path))),
    );
    await Promise.all(others.map((other) => other.terminate()));
  }

  await beforeLarge();
  const large = run.collection('large');
  const fillMs = performance.now();
  await fill(client, large, LARGE);
  report(server, 'writing 100,000 documents', { ms: round(performance.now() - fillMs) });
  const page = (collection: typeof small) => () =>
    collection.where('kind', '==', 'k7').orderBy('n', 'desc').limit(20).get();
  // Ours builds an index when the first query asks for it.
  await time('first indexed query of 100,000', 1, page(large));
  await page(small)();
  // The emulator takes seconds for each.
  const times = server === 'ours' ? 200 : 20;
  const ofSmall = await time('indexed query of 1,000', times, page(small));
  const ofLarge = await time('indexed query of 100,000', times, page(large));
  report(server, '100,000 against 1,000', { ratio: round(ofLarge.p50Ms / ofSmall.p50Ms), goal: 2 });
  await client.terminate();
}

async function fill(
  client: Client,
  collection: FirebaseFirestore.CollectionReference,
  count: number,
) {
  for (let start = 0; start < count; start += BATCH) {
    const batch = client.batch();
    for (let i = start; i < start + BATCH; i++) {
      // Ten kinds, each with the same number in every thousand.
      batch.set(collection.doc(`d${i}`), { n: (i * 7919) % count, kind: `k${i % 10}` });
    }
    await batch.commit();
  }
}

const increment = (client: Client, path: string) =>
  client.runTransaction(
    async (transaction) => {
      const { count } = (await transaction.get(client.doc(path))).data() as { count: number };
      transaction.update(client.doc(path), { count: count + 1 });
    },
    { maxAttempts: 30 },
  );

async function rssOf(child: ChildProcess): Promise<number> {
  child.send('memory');
  const [{ rssBytes }] = (await once(child, 'message')) as [{ rssBytes: number }];
  return Math.round(rssBytes / 1e6);
}

const round = (value = Number.NaN): number => Math.round(value * 100) / 100;

function report(server: string, name: string, figures: object): void {
  process.stdout.write(
    `${JSON.stringify({ bench: 'local-firestore', server, name, ...figures })}\n`,
  );
}

await compare();
