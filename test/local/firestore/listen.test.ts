import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';

import type { Firestore, QuerySnapshot } from '@google-cloud/firestore';
import { afterAll, afterEach, beforeAll, expect, test } from 'vitest';

import { DATABASE, rawClient, startFirestore, type TestFirestore } from './support.ts';

const folder = mkdtempSync(join(tmpdir(), 'purvey-firestore-'));
afterAll(() => rmSync(folder, { recursive: true }));

let firestore: TestFirestore;
let db: Firestore;
const stops: (() => void)[] = [];
beforeAll(async () => {
  firestore = await startFirestore({
    indexes: {
      indexes: [],
      fieldOverrides: [
        {
          collectionGroup: 'parts',
          fieldPath: 'n',
          indexes: [{ queryScope: 'COLLECTION_GROUP', order: 'ASCENDING' }],
        },
      ],
    },
  });
  db = firestore.client;
});
afterEach(() => {
  for (const stop of stops.splice(0)) stop();
  firestore.faults.clear();
});
afterAll(() => firestore.stop());

interface Listenable<Snapshot> {
  onSnapshot(onNext: (snapshot: Snapshot) => void, onError: (error: Error) => void): () => void;
}

/** The snapshots of a listener, one after the other. */
function listenTo<Snapshot>(source: Listenable<Snapshot>) {
  const arrived: Snapshot[] = [];
  let failed: Error | undefined;
  let wake = Promise.withResolvers<void>();
  const stop = source.onSnapshot(
    (snapshot) => {
      arrived.push(snapshot);
      wake.resolve();
    },
    (error) => {
      failed = error;
      wake.resolve();
    },
  );
  stops.push(stop);
  return {
    stop,
    get arrived() {
      return arrived.length;
    },
    async next(): Promise<Snapshot> {
      for (;;) {
        const snapshot = arrived.shift();
        if (snapshot) return snapshot;
        if (failed) throw failed;
        await wake.promise;
        wake = Promise.withResolvers();
      }
    },
  };
}

const ids = ({ docs }: QuerySnapshot) => docs.map(({ id }) => id);
const changes = (snapshot: QuerySnapshot) =>
  snapshot.docChanges().map(({ type, doc }) => `${type} ${doc.id}`);

test('a document is followed from missing to written, changed and deleted', async () => {
  const doc = db.doc('followed/one');
  const listener = listenTo(doc);
  expect((await listener.next()).exists).toBe(false);
  await doc.set({ n: 1 });
  expect((await listener.next()).data()).toEqual({ n: 1 });
  const { writeTime } = await doc.update({ n: 2 });
  const changed = await listener.next();
  expect(changed.data()).toEqual({ n: 2 });
  expect(changed.updateTime?.isEqual(writeTime)).toBe(true);
  await doc.delete();
  expect((await listener.next()).exists).toBe(false);
  await db.doc('followed/other').set({});
  await doc.set({ n: 3 });
  expect((await listener.next()).data()).toEqual({ n: 3 });
  expect(listener.arrived).toBe(0);
});

test('a query tells what joins it, changes in it, leaves it and is deleted', async () => {
  const collection = db.collection('members');
  await collection.doc('a').set({ n: 1 });
  await collection.doc('b').set({ n: 9 });
  const listener = listenTo(collection.where('n', '<', 5).orderBy('n', 'desc'));
  expect(ids(await listener.next())).toEqual(['a']);
  await collection.doc('b').update({ n: 2 });
  const joined = await listener.next();
  expect([ids(joined), changes(joined)]).toEqual([['b', 'a'], ['added b']]);
  await collection.doc('a').update({ n: 3 });
  const moved = await listener.next();
  expect([ids(moved), changes(moved)]).toEqual([['a', 'b'], ['modified a']]);
  await collection.doc('b').update({ n: 7 });
  expect(changes(await listener.next())).toEqual(['removed b']);
  await collection.doc('a').delete();
  const empty = await listener.next();
  expect([empty.empty, changes(empty)]).toEqual([true, ['removed a']]);
});

test('all that one commit changes comes in one snapshot', async () => {
  const collection = db.collection('together');
  const listener = listenTo(collection);
  await listener.next();
  const batch = db.batch();
  for (const id of ['a', 'b', 'c']) batch.set(collection.doc(id), {});
  await batch.commit();
  expect(ids(await listener.next())).toEqual(['a', 'b', 'c']);
  const second = db.batch();
  second
    .delete(collection.doc('a'))
    .set(collection.doc('b'), { n: 1 })
    .set(collection.doc('d'), {});
  await second.commit();
  expect(changes(await listener.next())).toEqual(['removed a', 'added d', 'modified b']);
});

test('a limited query takes in the next document when one leaves', async () => {
  const collection = db.collection('limited');
  for (const [id, n] of Object.entries({ a: 1, b: 2, c: 3 })) await collection.doc(id).set({ n });
  const first = listenTo(collection.orderBy('n').limit(2));
  const last = listenTo(collection.orderBy('n').limitToLast(2));
  expect([ids(await first.next()), ids(await last.next())]).toEqual([
    ['a', 'b'],
    ['b', 'c'],
  ]);
  await collection.doc('a').delete();
  expect(changes(await first.next())).toEqual(['removed a', 'added c']);
  await collection.doc('z').set({ n: 0 });
  expect(changes(await first.next())).toEqual(['removed c', 'added z']);
  expect(last.arrived).toBe(0);
});

test('a collection group is followed wherever its documents are', async () => {
  const listener = listenTo(db.collectionGroup('parts').where('n', '>', 1).orderBy('n'));
  expect((await listener.next()).empty).toBe(true);
  await db.doc('machines/a/parts/x').set({ n: 2 });
  expect(ids(await listener.next())).toEqual(['x']);
  await db.doc('machines/b/parts/y').set({ n: 1 });
  await db.doc('machines/b/parts/y').set({ n: 3 });
  expect(ids(await listener.next())).toEqual(['x', 'y']);
});

test('a listener without its index is told so', async () => {
  const listener = listenTo(db.collection('unindexed').where('a', '==', 1).orderBy('b'));
  await expect(listener.next()).rejects.toThrow('The query requires an index');
});

test('time that is moved does not end a listener', async () => {
  const doc = db.doc('clock/a');
  const listener = listenTo(doc);
  const before = await listener.next();
  await firestore.clock.advance(3_600_000);
  await doc.set({});
  const after = await listener.next();
  expect(after.readTime.toMillis() - before.readTime.toMillis()).toBe(3_600_000);
});

test('a process that crashes hears nothing more; revived, it hears what it has missed', async () => {
  const collection = db.collection('crash');
  await collection.doc('gone').set({});
  const listener = listenTo(collection);
  await listener.next();
  firestore.faults.inject({ rpc: 'Rollback', action: { kind: 'crash' } });
  const raw = rawClient(firestore);
  await raw
    .rollback({ database: DATABASE, transaction: Buffer.from('none') }, { timeout: 50 })
    .catch(() => {});
  expect(firestore.faults.crashed).toBe(true);
  firestore.meter.reset();
  firestore.faults.clear();
  const other = firestore.connect();
  await other.batch().set(other.doc('crash/new'), {}).delete(other.doc('crash/gone')).commit();
  expect(changes(await listener.next())).toEqual(['removed gone', 'added new']);
  const { rpcs, reads } = firestore.meter.read();
  expect([rpcs['Listen'], reads]).toEqual([1, 1]);
  await raw.close();
});

test('a listener is billed for what it is told, and not for deletions', async () => {
  const collection = db.collection('billed');
  for (const id of ['a', 'b', 'c']) await collection.doc(id).set({ n: 1 });
  firestore.meter.reset();
  const reads = () => firestore.meter.read().reads;
  const listener = listenTo(collection.where('n', '==', 1));
  await listener.next();
  expect(reads()).toBe(3);
  await collection.doc('a').update({ more: true });
  await listener.next();
  expect(reads()).toBe(4);
  await collection.doc('a').update({ n: 2 });
  await listener.next();
  expect(reads()).toBe(5);
  await collection.doc('b').delete();
  await listener.next();
  await collection.doc('elsewhere').set({ n: 5 });
  expect(reads()).toBe(5);
  await listenTo(collection.where('n', '==', 8)).next();
  await listenTo(collection.doc('missing')).next();
  expect(reads()).toBe(7);
});

/** The wire's own messages, in one line each. */
function rawListener(server: { port: number }) {
  const client = rawClient(server);
  const stream = client.listen({
    otherArgs: { headers: { 'google-cloud-resource-prefix': DATABASE } },
  } as never);
  const lines: string[] = [];
  const tokens: Buffer[] = [];
  let wake = () => {};
  stream.on('error', () => {});
  stream.on('data', ({ targetChange, documentChange, documentDelete, documentRemove }) => {
    if (targetChange) {
      lines.push([targetChange.targetChangeType, ...targetChange.targetIds].join(' '));
      if (targetChange.resumeToken.length > 0) tokens.push(targetChange.resumeToken);
    }
    if (documentChange) {
      const { document, targetIds } = documentChange;
      const fields = Object.keys(document.fields).join('');
      lines.push(`change ${document.name.split('/').at(-1)} {${fields}} ${targetIds}`);
    }
    for (const [kind, gone] of Object.entries({ delete: documentDelete, remove: documentRemove })) {
      if (gone) lines.push(`${kind} ${gone.document.split('/').at(-1)} ${gone.removedTargetIds}`);
    }
    wake();
  });
  return {
    send: (request: object) => stream.write({ database: DATABASE, ...request }),
    token: () => tokens.at(-1),
    async lines(count: number) {
      while (lines.length < count) await new Promise<void>((resolve) => void (wake = resolve));
      return lines.splice(0);
    },
    async stop() {
      stream.end();
      await client.close();
    },
  };
}

const everythingIn = (collectionId: string, more: object = {}) => ({
  parent: `${DATABASE}/documents`,
  structuredQuery: { from: [{ collectionId }], ...more },
});

test('several targets on one stream come and go; a commit is told once for all of them', async () => {
  const collection = db.collection('streamed');
  await collection.doc('a').set({ n: 1, m: 1 });
  const raw = rawListener(firestore);
  const select = { fields: [{ fieldPath: 'n' }] };
  raw.send({ addTarget: { targetId: 2, query: everythingIn('streamed', { select }) } });
  expect(await raw.lines(4)).toEqual(['ADD 2', 'change a {n} 2', 'CURRENT 2', 'NO_CHANGE']);
  const documents = ['a', 'b'].map((id) => `${DATABASE}/documents/streamed/${id}`);
  raw.send({ addTarget: { targetId: 4, documents: { documents } } });
  expect(await raw.lines(5)).toEqual([
    'ADD 4',
    'change a {nm} 4',
    'delete b 4',
    'CURRENT 4',
    'NO_CHANGE',
  ]);
  await collection.doc('b').set({ n: 2 });
  expect(await raw.lines(3)).toEqual(['change b {n} 2', 'change b {n} 4', 'NO_CHANGE']);
  raw.send({ removeTarget: 2 });
  expect(await raw.lines(1)).toEqual(['REMOVE 2']);
  await collection.doc('a').delete();
  expect(await raw.lines(2)).toEqual(['delete a 4', 'NO_CHANGE']);
  raw.send({ addTarget: { targetId: 6, once: true, query: everythingIn('streamed') } });
  expect(await raw.lines(5)).toEqual([
    'ADD 6',
    'change b {n} 6',
    'CURRENT 6',
    'REMOVE 6',
    'NO_CHANGE',
  ]);
  await raw.stop();
});

test('a resumed listener is told only what it missed, also across a restart', async () => {
  const file = join(folder, 'resumed.sqlite');
  const first = await startFirestore({ file });
  const collection = first.client.collection('resumed');
  for (const id of ['kept', 'changed', 'gone']) await collection.doc(id).set({});
  const addTarget = { targetId: 2, query: everythingIn('resumed') };
  const before = rawListener(first);
  before.send({ addTarget });
  await before.lines(6);
  const old = before.token();
  await before.stop();
  await collection.doc('changed').set({ n: 1 });
  await collection.doc('gone').delete();
  const resumed = rawListener(first);
  resumed.send({ addTarget: { ...addTarget, resumeToken: old } });
  expect(await resumed.lines(5)).toEqual([
    'ADD 2',
    'change changed {n} 2',
    'delete gone 2',
    'CURRENT 2',
    'NO_CHANGE',
  ]);
  const late = resumed.token();
  await resumed.stop();
  await first.stop();

  const second = await startFirestore({ file });
  const after = rawListener(second);
  after.send({ addTarget: { ...addTarget, resumeToken: late } });
  expect(await after.lines(3)).toEqual(['ADD 2', 'CURRENT 2', 'NO_CHANGE']);
  await after.stop();
  const forgotten = rawListener(second);
  forgotten.send({ addTarget: { ...addTarget, resumeToken: old } });
  expect(await forgotten.lines(6)).toEqual([
    'ADD 2',
    'RESET 2',
    'change changed {n} 2',
    'change kept {} 2',
    'CURRENT 2',
    'NO_CHANGE',
  ]);
  await forgotten.stop();
  await second.stop();
});
