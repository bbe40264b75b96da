import { Timestamp } from '@google-cloud/firestore';
import { afterEach, beforeEach, expect, test } from 'vitest';

import { startFirestore, type TestFirestore } from './support.ts';

const HOUR_MS = 3_600_000;
const ttl = (collectionGroup: string) => ({
  collectionGroup,
  fieldPath: 'expire_at',
  ttl: true,
  indexes: [],
});

let firestore: TestFirestore;
beforeEach(async () => {
  firestore = await startFirestore({
    indexes: { indexes: [], fieldOverrides: [ttl('sessions'), ttl('codes')] },
  });
});
afterEach(() => firestore.stop());

const inMs = (ms: number) => Timestamp.fromMillis(firestore.clock.nowMs() + ms);
const names = () => [...firestore.service.snapshot().values()].map(({ id }) => id).toSorted();

test('an expired document stays visible for a while, then goes, like one of any other collection group', async () => {
  const { client, clock } = firestore;
  await client.doc('sessions/short').set({ expire_at: inMs(HOUR_MS) });
  await client.doc('users/a/codes/nested').set({ expire_at: inMs(1.5 * HOUR_MS) });
  await client.doc('sessions/long').set({ expire_at: inMs(5 * HOUR_MS) });
  await client.doc('others/no-policy').set({ expire_at: inMs(HOUR_MS) });
  await clock.advance(1.9 * HOUR_MS);
  expect((await client.doc('sessions/short').get()).exists).toBe(true);
  await clock.advance(0.1 * HOUR_MS);
  expect(names()).toEqual(['long', 'no-policy']);
  await clock.advance(4 * HOUR_MS);
  expect(names()).toEqual(['no-policy']);
});

test('a document that has expired already when it is written stays for an hour too', async () => {
  const { client, clock } = firestore;
  await client.doc('sessions/old').set({ expire_at: inMs(-10 * HOUR_MS) });
  await clock.advance(0.9 * HOUR_MS);
  await client.doc('sessions/older').set({ expire_at: inMs(-20 * HOUR_MS) });
  expect(names()).toEqual(['old', 'older']);
  await clock.advance(0.1 * HOUR_MS);
  expect(names()).toEqual([]);
});

test('what is put off in time, or has no timestamp there, stays', async () => {
  const { client, clock } = firestore;
  const doc = client.doc('sessions/renewed');
  await doc.set({ expire_at: inMs(HOUR_MS) });
  await client.doc('sessions/text').set({ expire_at: '2020-01-01' });
  await client.doc('sessions/never').set({ expire_at: null });
  await clock.advance(1.5 * HOUR_MS);
  await doc.update({ expire_at: inMs(10 * HOUR_MS) });
  await clock.advance(5 * HOUR_MS);
  expect(names()).toEqual(['never', 'renewed', 'text']);
});

test('each deletion is billed as one, and listeners see it', async () => {
  const { client, clock, meter } = firestore;
  const collection = client.collection('sessions');
  for (const id of ['a', 'b', 'c']) await collection.doc(id).set({ expire_at: inMs(HOUR_MS) });
  const sizes: number[] = [];
  const emptied = Promise.withResolvers<void>();
  const stop = collection.onSnapshot(({ size }) => {
    sizes.push(size);
    if (size === 3) void clock.advance(2 * HOUR_MS);
    if (size === 0) emptied.resolve();
  });
  meter.reset();
  await emptied.promise;
  stop();
  expect([sizes[0], meter.read().deletes]).toEqual([3, 3]);
});

test('a document that a transaction holds is left to the next sweep', async () => {
  const { client, clock } = firestore;
  const doc = client.doc('sessions/held');
  await doc.set({ expire_at: inMs(HOUR_MS) });
  await clock.advance(1.99 * HOUR_MS);
  await client.runTransaction(async (transaction) => {
    await transaction.get(doc);
    await clock.advance(0.01 * HOUR_MS);
    await clock.advance(5_000);
    expect(names()).toEqual(['held']);
    transaction.update(doc, { renewed: true });
  });
  expect(names()).toEqual(['held']);
  await clock.advance(HOUR_MS);
  expect(names()).toEqual([]);
});
