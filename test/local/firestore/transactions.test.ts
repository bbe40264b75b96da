import { setTimeout as sleep } from 'node:timers/promises';

import { FieldValue, type Firestore } from '@google-cloud/firestore';
import { afterAll, beforeAll, beforeEach, expect, test } from 'vitest';

import { code, DATABASE, rawClient, startFirestore, type TestFirestore } from './support.ts';

let firestore: TestFirestore;
let db: Firestore;
let doc: FirebaseFirestore.DocumentReference;
let n = 0;

beforeAll(async () => {
  firestore = await startFirestore();
  db = firestore.client;
});
beforeEach(() => {
  doc = db.doc(`transactions/${++n}`);
});
afterAll(() => firestore.stop());

/** A point that other code can wait for. */
function gate() {
  return Promise.withResolvers<void>();
}

test('ten clients that each add one to a counter end at ten', async () => {
  await doc.set({ count: 0 });
  const clients = Array.from({ length: 10 }, () => firestore.connect());
  await Promise.all(
    clients.map((client) =>
      client.runTransaction(
        async (transaction) => {
          const own = client.doc(doc.path);
          const { count } = (await transaction.get(own)).data() as { count: number };
          transaction.update(own, { count: count + 1 });
        },
        { maxAttempts: 20 },
      ),
    ),
  );
  expect((await doc.get()).get('count')).toBe(10);
});

test('transactions that were aborted before take turns, so that they do not collide again', async () => {
  await doc.set({ a: 1 });
  const raw = rawClient(firestore);
  const name = `${DATABASE}/documents/${doc.path}`;
  const retry = async () => {
    const options = { readWrite: { retryTransaction: Buffer.from('an earlier one') } };
    const [{ transaction }] = await raw.beginTransaction({ database: DATABASE, options });
    return transaction ?? null;
  };
  const [first, second] = [await retry(), await retry()];
  const order: string[] = [];
  await raw.getDocument({ name, transaction: first });
  const waiting = raw
    .getDocument({ name, transaction: second })
    .then(() => order.push('second reads'));
  await db.runTransaction(async (transaction) => void (await transaction.get(doc)));
  order.push('another reads');
  await raw.commit({ database: DATABASE, transaction: first, writes: [] });
  await waiting;
  expect(order).toEqual(['another reads', 'second reads']);
  await raw.rollback({ database: DATABASE, transaction: second });
  await raw.close();
});

test('a writer outside waits until the transaction that read the document has ended', async () => {
  await doc.set({ a: 1 });
  const order: string[] = [];
  const outside = gate();
  await db.runTransaction(async (transaction) => {
    const { a } = (await transaction.get(doc)).data() as { a: number };
    void doc.update({ a: 100 }).then(() => {
      order.push('outside');
      outside.resolve();
    });
    await sleep(100);
    order.push('transaction');
    transaction.update(doc, { a: a + 1 });
  });
  await outside.promise;
  expect(order).toEqual(['transaction', 'outside']);
  expect((await doc.get()).get('a')).toBe(100);
});

test('a writer that waits too long is refused with ABORTED', async () => {
  await doc.set({ a: 1 });
  const waiting = firestore.connect();
  const release = gate();
  const held = gate();
  const holder = db.runTransaction(async (transaction) => {
    await transaction.get(doc);
    held.resolve();
    await release.promise;
  });
  await held.promise;
  const writes = waiting.bulkWriter();
  writes.onWriteError(() => false);
  const refused = writes.update(waiting.doc(doc.path), { a: 2 }).catch((error: unknown) => error);
  await writes.close();
  expect(await refused).toMatchObject({
    code: code.aborted,
    message: expect.stringContaining('Transaction lock timeout'),
  });
  release.resolve();
  await holder;
});

test('of two transactions waiting for each other one is aborted at once, and both succeed in the end', async () => {
  const other = db.doc(`transactions/${++n}`);
  await doc.set({ v: 0 });
  await other.set({ v: 0 });
  const bothHaveRead = [gate(), gate()];
  const attempts = [0, 0];
  const swap = (i: 0 | 1) =>
    db.runTransaction(async (transaction) => {
      attempts[i] = (attempts[i] ?? 0) + 1;
      const [mine, theirs] = i === 0 ? [doc, other] : [other, doc];
      await transaction.get(mine);
      bothHaveRead[i]?.resolve();
      await bothHaveRead[1 - i]?.promise;
      transaction.update(theirs, { v: FieldValue.increment(1) });
    });
  await Promise.all([swap(0), swap(1)]);
  expect(attempts.toSorted((a, b) => a - b)).toEqual([1, 2]);
  expect([(await doc.get()).get('v'), (await other.get()).get('v')]).toEqual([1, 1]);
});

test('a document that joins a query result meanwhile makes the transaction start over', async () => {
  const open = db.collection(`queue${n}`).where('state', '==', 'open');
  let attempts = 0;
  const seen = await db.runTransaction(async (transaction) => {
    attempts++;
    const found = await transaction.get(open);
    if (attempts === 1) await db.doc(`queue${n}/new`).set({ state: 'open' });
    transaction.set(doc, { size: found.size });
    return found.size;
  });
  expect([attempts, seen]).toEqual([2, 1]);
});

test('a count that changes meanwhile makes the transaction start over', async () => {
  const all = db.collection(`counted${n}`);
  let attempts = 0;
  await db.runTransaction(async (transaction) => {
    attempts++;
    const { count } = (await transaction.get(all.count())).data();
    if (attempts === 1) await all.doc('new').set({});
    transaction.set(doc, { count });
  });
  expect([attempts, (await doc.get()).get('count')]).toEqual([2, 1]);
});

test('of two transactions that create the same missing document only one succeeds', async () => {
  const claim = () =>
    db.runTransaction(async (transaction) => {
      const { exists } = await transaction.get(doc);
      if (!exists) transaction.create(doc, {});
      return !exists;
    });
  const claims = await Promise.all([claim(), claim(), claim()]);
  expect(claims.filter(Boolean)).toHaveLength(1);
});

test('a transaction that throws leaves nothing behind and frees its locks', async () => {
  await doc.set({ a: 1 });
  const failing = db.runTransaction(async (transaction) => {
    await transaction.get(doc);
    transaction.update(doc, { a: 2 });
    throw new Error('changed my mind');
  });
  await expect(failing).rejects.toThrow('changed my mind');
  await doc.update({ b: 1 });
  expect((await doc.get()).data()).toEqual({ a: 1, b: 1 });
});

test('a read-only transaction sees one state and locks nothing', async () => {
  await doc.set({ a: 1 });
  const seen = await db.runTransaction(
    async (transaction) => {
      const first = await transaction.get(doc);
      await doc.update({ a: 2 });
      const second = await transaction.get(doc);
      return [first.get('a'), second.get('a')];
    },
    { readOnly: true },
  );
  expect(seen).toEqual([1, 1]);
});

test('a transaction idle for a minute has expired and holds no locks', async () => {
  await doc.set({ a: 1 });
  let attempts = 0;
  await db.runTransaction(async (transaction) => {
    const { a } = (await transaction.get(doc)).data() as { a: number };
    if (++attempts === 1) {
      await firestore.clock.advance(60_001);
      await doc.set({ a: 10 });
    }
    transaction.update(doc, { a: a + 1 });
  });
  expect([attempts, (await doc.get()).get('a')]).toEqual([2, 11]);
});

test('a test can free the locks of a process it has killed', async () => {
  await doc.set({ a: 1 });
  let attempts = 0;
  await db.runTransaction(async (transaction) => {
    await transaction.get(doc);
    if (++attempts > 1) return;
    firestore.service.endTransactions();
    await doc.update({ a: 2 });
  });
  expect([attempts, (await doc.get()).get('a')]).toEqual([2, 2]);
});

test('a transaction in steady use has expired after 270 seconds', async () => {
  await doc.set({ a: 1 });
  let attempts = 0;
  await db.runTransaction(async (transaction) => {
    attempts++;
    for (let i = 0; i < 6; i++) {
      await transaction.get(doc);
      if (attempts === 1) await firestore.clock.advance(50_000);
    }
  });
  expect(attempts).toBe(2);
});

test('a transaction can be begun explicitly, and committed only once', async () => {
  const raw = rawClient(firestore);
  const database = DATABASE;
  const [begun] = await raw.beginTransaction({ database });
  const transaction = begun.transaction ?? null;
  await raw.commit({ database, transaction, writes: [] });
  await expect(raw.commit({ database, transaction, writes: [] })).rejects.toMatchObject({
    code: code.invalidArgument,
  });
  await expect(
    raw.commit({ database, transaction: Buffer.from('unknown'), writes: [] }),
  ).rejects.toMatchObject({ code: code.invalidArgument });
  await raw.close();
});
