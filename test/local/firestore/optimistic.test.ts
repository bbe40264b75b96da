import type { Firestore } from '@google-cloud/firestore';
import { afterAll, beforeAll, beforeEach, expect, test } from 'vitest';

import { startFirestore, type TestFirestore } from './support.ts';

let firestore: TestFirestore;
let db: Firestore;
let doc: FirebaseFirestore.DocumentReference;
let n = 0;
beforeAll(async () => {
  firestore = await startFirestore({ concurrency: 'optimistic' });
  db = firestore.client;
});
beforeEach(() => {
  doc = db.doc(`optimistic/${++n}`);
});
afterAll(() => firestore.stop());

/** Runs `overtake` in the first attempt, after the read and before the write; returns the attempts. */
async function overtaken(
  read: (transaction: FirebaseFirestore.Transaction) => Promise<unknown>,
  overtake: () => Promise<unknown>,
): Promise<number> {
  let attempts = 0;
  await db.runTransaction(async (transaction) => {
    attempts++;
    await read(transaction);
    if (attempts === 1) await overtake();
    transaction.set(db.doc(`optimistic/${n}-result`), { attempts });
  });
  return attempts;
}

test('a writer outside does not wait; the transaction it overtakes starts over', async () => {
  await doc.set({ a: 1 });
  const attempts = await overtaken(
    (transaction) => transaction.get(doc),
    () => doc.update({ a: 2 }),
  );
  expect(attempts).toBe(2);
});

test('a document that is created meanwhile, though it was found missing, counts as overtaking', async () => {
  const attempts = await overtaken(
    (transaction) => transaction.get(doc),
    () => doc.create({}),
  );
  expect(attempts).toBe(2);
});

test('a query result that changes counts as overtaking, a document elsewhere does not', async () => {
  const queue = db.collection(`queue${n}`);
  const read = (transaction: FirebaseFirestore.Transaction) =>
    transaction.get(queue.where('open', '==', true));
  expect(await overtaken(read, () => queue.add({ open: true }))).toBe(2);
  expect(await overtaken(read, () => queue.add({ open: false }))).toBe(1);
});

test('ten clients that each add one to a counter end at ten', async () => {
  await doc.set({ count: 0 });
  await Promise.all(
    Array.from({ length: 10 }, () =>
      db.runTransaction(
        async (transaction) => {
          const { count } = (await transaction.get(doc)).data() as { count: number };
          transaction.update(doc, { count: count + 1 });
        },
        { maxAttempts: 20 },
      ),
    ),
  );
  expect((await doc.get()).get('count')).toBe(10);
});
