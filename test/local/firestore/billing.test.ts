import { FieldValue, type Firestore } from '@google-cloud/firestore';
import { afterAll, beforeAll, expect, test } from 'vitest';

import { billFor, startFirestore, type TestFirestore } from './support.ts';

let firestore: TestFirestore;
let db: Firestore;

beforeAll(async () => {
  firestore = await startFirestore();
  db = firestore.client;
  const batch = db.batch();
  for (let i = 0; i < 1001; i++) batch.set(db.doc(`bills/${i}`), { i, even: i % 2 === 0 });
  await batch.commit();
});
afterAll(() => firestore.stop());

const bill = (work: () => Promise<unknown>) => billFor(firestore, work);
const nothing = { reads: 0, writes: 0, deletes: 0 };
const all = () => db.collection('bills');

test('a document read is one read, found or missing', async () => {
  expect(await bill(() => db.doc('bills/1').get())).toEqual({ ...nothing, reads: 1 });
  expect(await bill(() => db.doc('bills/none').get())).toEqual({ ...nothing, reads: 1 });
  expect(await bill(() => db.getAll(db.doc('bills/1'), db.doc('bills/none')))).toEqual({
    ...nothing,
    reads: 2,
  });
});

test('a query is one read for each document returned or skipped', async () => {
  expect(await bill(() => all().limit(7).get())).toEqual({ ...nothing, reads: 7 });
  expect(await bill(() => all().offset(5).limit(2).get())).toEqual({ ...nothing, reads: 7 });
  expect(await bill(() => all().where('i', '<', 3).select().get())).toEqual({
    ...nothing,
    reads: 3,
  });
});

test('a query that finds nothing is one read', async () => {
  expect(await bill(() => all().where('i', '>', 5000).get())).toEqual({ ...nothing, reads: 1 });
});

test('an aggregation is one read for every thousand index entries begun', async () => {
  expect(await bill(() => all().count().get())).toEqual({ ...nothing, reads: 2 });
  expect(await bill(() => all().limit(1000).count().get())).toEqual({ ...nothing, reads: 1 });
  expect(await bill(() => all().where('i', '<', 0).count().get())).toEqual({
    ...nothing,
    reads: 1,
  });
});

test('each write and each delete counts once, whatever it changes', async () => {
  const doc = db.doc('billed/a');
  expect(await bill(() => doc.set({ a: 1, at: FieldValue.serverTimestamp() }))).toEqual({
    ...nothing,
    writes: 1,
  });
  expect(await bill(() => doc.update({ a: 1 }))).toEqual({ ...nothing, writes: 1 });
  const batch = db.batch().set(doc, {}).set(db.doc('billed/b'), {}).delete(db.doc('billed/none'));
  expect(await bill(() => batch.commit())).toEqual({ reads: 0, writes: 2, deletes: 1 });
});

test('a refused commit costs nothing', async () => {
  const batch = db.batch().set(db.doc('billed/c'), {}).create(db.doc('bills/1'), {});
  expect(await bill(() => batch.commit().catch(() => undefined))).toEqual(nothing);
});

test('only the writes of a bulk writer that succeed are billed', async () => {
  const writer = db.bulkWriter();
  writer.onWriteError(() => false);
  const cost = await bill(async () => {
    writer.set(db.doc('billed/d'), {}).catch(() => undefined);
    writer.create(db.doc('bills/1'), {}).catch(() => undefined);
    writer.delete(db.doc('billed/e')).catch(() => undefined);
    await writer.close();
  });
  expect(cost).toEqual({ reads: 0, writes: 1, deletes: 1 });
});

test('a transaction costs its reads and writes, its locking and checking nothing', async () => {
  const cost = await bill(() =>
    db.runTransaction(async (transaction) => {
      await transaction.get(all().where('i', '<', 4));
      transaction.set(db.doc('billed/f'), {});
    }),
  );
  expect(cost).toEqual({ reads: 4, writes: 1, deletes: 0 });
});

test('listing costs a read for each document, or one for a list of collections', async () => {
  await db.doc('listed/a/b/c').set({});
  expect(await bill(() => db.collection('listed').listDocuments())).toEqual({
    ...nothing,
    reads: 1,
  });
  expect(await bill(() => db.doc('listed/a').listCollections())).toEqual({ ...nothing, reads: 1 });
});
