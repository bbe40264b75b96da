import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';

import { FieldValue } from '@google-cloud/firestore';
import { afterAll, afterEach, beforeAll, expect, test } from 'vitest';

import { code, DATABASE, rawClient, startFirestore, type TestFirestore } from './support.ts';

const folder = mkdtempSync(join(tmpdir(), 'purvey-firestore-'));
afterAll(() => rmSync(folder, { recursive: true }));

let firestore: TestFirestore;
beforeAll(async () => {
  firestore = await startFirestore();
});
afterEach(() => firestore.faults.clear());
afterAll(() => firestore.stop());

test('what was acknowledged is still there after a restart, what was deleted is not', async () => {
  const file = join(folder, 'state.sqlite');
  const first = await startFirestore({ file });
  const data = { text: 'a', bytes: Buffer.from([1, 2]), list: [{ n: 1.5 }], none: null };
  await first.client.doc('kept/a').set(data);
  await first.client.doc('kept/b').set({});
  await first.client.doc('kept/b').delete();
  const before = await first.client.doc('kept/a').get();
  await first.stop();

  const second = await startFirestore({ file });
  const after = await second.client.doc('kept/a').get();
  expect(after.data()).toEqual(data);
  expect([after.createTime, after.updateTime]).toEqual([before.createTime, before.updateTime]);
  expect((await second.client.collection('kept').where('text', '==', 'a').get()).size).toBe(1);
  expect((await second.client.doc('kept/b').get()).exists).toBe(false);
  const { writeTime } = await second.client.doc('kept/a').set({ ...data, text: 'b' });
  expect(writeTime.valueOf() > (before.updateTime?.valueOf() ?? '')).toBe(true);
  await second.stop();
});

test('a commit whose acknowledgement is lost is applied', async () => {
  const doc = firestore.client.doc('faults/lost');
  firestore.faults.inject({
    rpc: 'Commit',
    action: { kind: 'lose-acknowledgement', code: 'INTERNAL' },
  });
  await expect(doc.create({ a: 1 })).rejects.toMatchObject({ code: 13 });
  expect((await doc.get()).data()).toEqual({ a: 1 });
});

test('a transaction whose acknowledgement is lost runs again, and sees what it wrote', async () => {
  const { client, faults } = firestore;
  const doc = client.doc('faults/ledger');
  faults.inject({ rpc: 'Commit', action: { kind: 'lose-acknowledgement' } });
  const seen: boolean[] = [];
  await client.runTransaction(async (transaction) => {
    const { exists } = await transaction.get(doc);
    seen.push(exists);
    if (!exists) transaction.create(doc, { applied: 1 });
  });
  expect(seen).toEqual([false, true]);
});

test('a commit that fails before it is applied leaves nothing behind', async () => {
  const doc = firestore.client.doc('faults/refused');
  firestore.faults.inject({ rpc: 'Commit', action: { kind: 'fail', code: 'PERMISSION_DENIED' } });
  await expect(doc.set({ a: 1 })).rejects.toMatchObject({ code: 7 });
  expect((await doc.get()).exists).toBe(false);
});

test('a transaction aborted by the server is retried by the client until it succeeds', async () => {
  const { client, faults } = firestore;
  const doc = client.doc('faults/aborted');
  await doc.set({ count: 0 });
  faults.inject({ rpc: 'Commit', times: 2, action: { kind: 'fail', code: 'ABORTED' } });
  let attempts = 0;
  await client.runTransaction(async (transaction) => {
    attempts++;
    await transaction.get(doc);
    transaction.update(doc, { count: FieldValue.increment(1) });
  });
  expect([attempts, (await doc.get()).get('count')]).toEqual([3, 1]);
});

test('a query that fails with a lasting error is not repeated', async () => {
  const { client, faults, meter } = firestore;
  meter.reset();
  faults.inject({ rpc: 'RunQuery', action: { kind: 'fail', code: 'PERMISSION_DENIED' } });
  await expect(client.collection('faults').get()).rejects.toMatchObject({ code: 7 });
  expect(meter.read().rpcs).toEqual({ RunQuery: 1 });
});

test('what is not imitated answers UNIMPLEMENTED', async () => {
  const raw = rawClient(firestore);
  const listing = raw.listDocuments({
    parent: `${DATABASE}/documents`,
    collectionId: 'x',
    showMissing: true,
    readTime: { seconds: 1 },
  });
  await expect(listing).rejects.toMatchObject({ code: code.unimplemented });
  await raw.close();
});
