import { type Firestore, Timestamp } from '@google-cloud/firestore';
import { afterAll, beforeAll, expect, test } from 'vitest';

import { billFor, code, startFirestore, type TestFirestore } from './support.ts';

let firestore: TestFirestore;
let db: Firestore;
beforeAll(async () => {
  firestore = await startFirestore();
  db = firestore.client;
});
afterAll(() => firestore.stop());

test('a recursive delete takes a document, all below it and nothing beside it', async () => {
  const batch = db.batch();
  for (const id of ['a', 'ab']) {
    batch.set(db.doc(`trees/${id}`), {});
    for (let i = 0; i < 30; i++) batch.set(db.doc(`trees/${id}/leaves/${i}`), { i });
    batch.set(db.doc(`trees/${id}/leaves/0/veins/x`), {});
  }
  await batch.commit();
  const left = () =>
    [...firestore.service.snapshot().keys()].filter((name) => name.includes('/trees/'));
  const bill = await billFor(firestore, () => db.recursiveDelete(db.doc('trees/a')));
  // The client also deletes the document it is given without having read it.
  expect(bill).toEqual({ reads: 31, writes: 0, deletes: 32 });
  expect(left()).toHaveLength(32);
  expect(left().every((name) => name.includes('/trees/ab'))).toBe(true);
  await db.recursiveDelete(db.collection('trees'));
  expect(left()).toEqual([]);
});

test('a bulk writer applies what it can and names what it cannot', async () => {
  const collection = db.collection('bulk');
  await collection.doc('3').set({ taken: true });
  const writer = db.bulkWriter();
  const failed: [string, number][] = [];
  writer.onWriteError((error) => {
    failed.push([error.documentRef.id, error.code]);
    return false;
  });
  const outcomes = Array.from({ length: 100 }, (_, i) =>
    writer.create(collection.doc(String(i)), { i }).then(
      () => true,
      () => false,
    ),
  );
  await writer.close();
  expect((await Promise.all(outcomes)).filter((ok) => !ok)).toHaveLength(1);
  expect(failed).toEqual([['3', code.alreadyExists]]);
  expect((await collection.count().get()).data().count).toBe(100);
});

test('a bulk writer tries again what was aborted', async () => {
  const { faults } = firestore;
  faults.inject({ rpc: 'BatchWrite', action: { kind: 'fail', code: 'ABORTED' } });
  const writer = db.bulkWriter();
  const written = writer.set(db.doc('bulk/again'), { n: 1 });
  await writer.close();
  await written;
  expect((await db.doc('bulk/again').get()).get('n')).toBe(1);
});

test('a read-only transaction reads a moment in the past: documents, queries and counts', async () => {
  const collection = db.collection('past');
  for (const [id, n] of Object.entries({ a: 1, b: 2 })) await collection.doc(id).set({ n });
  const readTime = Timestamp.fromMillis(firestore.clock.nowMs() + 1);
  await firestore.clock.advance(60_000);
  await collection.doc('a').delete();
  await collection.doc('b').update({ n: 20 });
  await collection.doc('c').set({ n: 3 });
  const seen = await db.runTransaction(
    async (transaction) => {
      const [a, c] = await transaction.getAll(collection.doc('a'), collection.doc('c'));
      const { docs } = await transaction.get(collection.orderBy('n', 'desc'));
      const { count } = (await transaction.get(collection.count())).data();
      return [a?.exists, c?.exists, docs.map((doc) => doc.get('n')), count];
    },
    { readOnly: true, readTime },
  );
  expect(seen).toEqual([true, false, [2, 1], 2]);
  const future = Timestamp.fromMillis(firestore.clock.nowMs() + 1000);
  const early = db.runTransaction((transaction) => transaction.get(collection), {
    readOnly: true,
    readTime: future,
  });
  await expect(early).rejects.toMatchObject({ code: code.invalidArgument });
});
