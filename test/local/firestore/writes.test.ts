import { FieldValue, type Firestore, GeoPoint, Timestamp } from '@google-cloud/firestore';
import { afterAll, beforeAll, beforeEach, expect, test } from 'vitest';

import { code, DATABASE, startFirestore, type TestFirestore } from './support.ts';

let firestore: TestFirestore;
let db: Firestore;
let doc: FirebaseFirestore.DocumentReference;
let n = 0;

beforeAll(async () => {
  firestore = await startFirestore();
  db = firestore.client;
});
beforeEach(() => {
  doc = db.doc(`writes/${++n}`);
});
afterAll(() => firestore.stop());

const dataOf = async (reference = doc) => (await reference.get()).data();

test('every type of value comes back as it was written', async () => {
  const data = {
    null: null,
    boolean: false,
    zero: 0,
    integer: -7,
    double: 1.5,
    nan: Number.NaN,
    infinity: Number.NEGATIVE_INFINITY,
    text: 'Grüße 🌍',
    emptyText: '',
    bytes: Buffer.from([0, 255]),
    time: new Timestamp(1_700_000_000, 123_456_000),
    place: new GeoPoint(0, -77.5),
    reference: db.doc('writes/other'),
    list: [1, 'a', { b: [] }],
    map: { 'odd.key `x`': { deep: true }, empty: {} },
  };
  await doc.set(data);
  expect(await dataOf()).toEqual(data);
});

test('timestamps are cut to microseconds', async () => {
  await doc.set({ at: new Timestamp(5, 123_456_789) });
  expect((await doc.get()).get('at')).toEqual(new Timestamp(5, 123_456_000));
});

test('creating a document that exists is refused with ALREADY_EXISTS', async () => {
  await doc.create({ a: 1 });
  await expect(doc.create({ a: 2 })).rejects.toMatchObject({ code: code.alreadyExists });
  expect(await dataOf()).toEqual({ a: 1 });
});

test('updating a missing document is refused with NOT_FOUND', async () => {
  await expect(doc.update({ a: 1 })).rejects.toMatchObject({
    code: code.notFound,
    message: expect.stringContaining(`No document to update: ${DATABASE}/documents/`),
  });
});

test('an update touches only the fields it names, nested ones included', async () => {
  await doc.set({ a: { b: 1, c: 2 }, d: 3, 'x.y': 4 });
  await doc.update('a.b', 9, 'd', FieldValue.delete());
  expect(await dataOf()).toEqual({ a: { b: 9, c: 2 }, 'x.y': 4 });
});

test('a merge creates what is missing and keeps the rest', async () => {
  await doc.set({ a: { b: 1 } }, { merge: true });
  await doc.set({ a: { c: 2 }, d: FieldValue.delete() }, { merge: true });
  expect(await dataOf()).toEqual({ a: { b: 1, c: 2 } });
});

test('a write based on an outdated version is refused with FAILED_PRECONDITION', async () => {
  const { writeTime } = await doc.set({ a: 1 });
  await doc.update({ a: 2 });
  await expect(doc.update({ a: 3 }, { lastUpdateTime: writeTime })).rejects.toMatchObject({
    code: code.failedPrecondition,
  });
  await expect(doc.delete({ lastUpdateTime: writeTime })).rejects.toMatchObject({
    code: code.failedPrecondition,
  });
  expect(await dataOf()).toEqual({ a: 2 });
});

test('a write based on the current version is applied', async () => {
  const { writeTime } = await doc.set({ a: 1 });
  await doc.update({ a: 3 }, { lastUpdateTime: writeTime });
  expect(await dataOf()).toEqual({ a: 3 });
});

test('deleting a missing document succeeds unless it must exist', async () => {
  await doc.delete();
  await expect(doc.delete({ exists: true })).rejects.toMatchObject({ code: code.notFound });
});

test('a write that changes nothing keeps the update time', async () => {
  await doc.set({ a: 1, b: { c: [1] } });
  const before = await doc.get();
  await doc.set({ b: { c: [1] }, a: 1 });
  await doc.update({ a: 1 });
  expect((await doc.get()).updateTime).toEqual(before.updateTime);
  await doc.update({ a: 1.5 });
  expect((await doc.get()).updateTime?.isEqual(before.updateTime as Timestamp)).toBe(false);
});

test('update times are unique and strictly increasing while the clock stands still', async () => {
  const times: string[] = [];
  for (let i = 0; i < 5; i++) {
    const { writeTime } = await doc.set({ i });
    times.push(writeTime.valueOf());
  }
  expect(new Set(times).size).toBe(5);
  expect(times).toEqual([...times].sort());
});

test('a server timestamp is the commit time in whole milliseconds', async () => {
  await firestore.clock.advance(1234);
  const { writeTime } = await doc.set({ at: FieldValue.serverTimestamp() });
  const at = (await doc.get()).get('at') as Timestamp;
  expect(at.toMillis()).toBe(writeTime.toMillis());
  expect(at.nanoseconds % 1_000_000).toBe(0);
});

test('increments add integers, turn to doubles, and replace what is no number', async () => {
  await doc.set({ integer: 1, double: 1, text: 'x' });
  await doc.update({
    integer: FieldValue.increment(2),
    double: FieldValue.increment(0.5),
    text: FieldValue.increment(7),
    'new.field': FieldValue.increment(1),
  });
  expect(await dataOf()).toEqual({ integer: 3, double: 1.5, text: 7, new: { field: 1 } });
});

test('an integer increment stops at the 64-bit limits', async () => {
  const exact = (value: bigint) => value as unknown as number;
  await doc.set({ high: exact(2n ** 63n - 2n), low: exact(-(2n ** 63n)) });
  await doc.update({ high: FieldValue.increment(5), low: FieldValue.increment(-1) });
  const stored = firestore.service.snapshot().get(`${DATABASE}/documents/${doc.path}`);
  expect(stored?.fields).toMatchObject({
    high: { integerValue: '9223372036854775807' },
    low: { integerValue: '-9223372036854775808' },
  });
});

test('maximum and minimum keep the extreme number', async () => {
  await doc.set({ a: 5, b: 5, c: 5 });
  await doc.update({
    a: FieldValue.maximum(9),
    b: FieldValue.maximum(1),
    c: FieldValue.minimum(1.5),
    d: FieldValue.minimum(3),
  });
  expect(await dataOf()).toEqual({ a: 9, b: 5, c: 1.5, d: 3 });
});

test('array unions add only what is missing and removals remove every occurrence', async () => {
  await doc.set({ union: [1, 'a'], removal: [1, 2, 1, { x: 1 }], text: 'x' });
  await doc.update({
    union: FieldValue.arrayUnion(1, 'b', 'b', { y: 1 }),
    removal: FieldValue.arrayRemove(1, { x: 1 }),
    text: FieldValue.arrayUnion('z'),
  });
  expect(await dataOf()).toEqual({ union: [1, 'a', 'b', { y: 1 }], removal: [2], text: ['z'] });
});

test('a commit is applied as a whole or not at all', async () => {
  const batch = db.batch();
  batch.set(doc, { a: 1 });
  batch.update(db.doc('writes/missing'), { a: 1 });
  await expect(batch.commit()).rejects.toMatchObject({ code: code.notFound });
  expect(await dataOf()).toBeUndefined();
});

test('one commit may write the same document several times, each write seeing the last', async () => {
  await db
    .batch()
    .create(doc, { a: 1 })
    .update(doc, { a: FieldValue.increment(1) })
    .update(doc, { b: 2 })
    .commit();
  expect(await dataOf()).toEqual({ a: 2, b: 2 });
  await db.batch().delete(doc).create(doc, { c: 1 }).commit();
  expect(await dataOf()).toEqual({ c: 1 });
});

test.each<[string, (batch: FirebaseFirestore.WriteBatch, stale: Timestamp) => unknown]>([
  ['update then insert', (batch) => batch.update(doc, { a: 2 }).create(doc, { a: 3 })],
  ['upsert then insert', (batch) => batch.set(doc, { a: 2 }).create(doc, { a: 3 })],
  ['insert then insert', (batch) => batch.create(doc, { a: 2 }).create(doc, { a: 3 })],
  ['delete then update', (batch) => batch.delete(doc).update(doc, { a: 3 })],
  ['delete then delete', (batch) => batch.delete(doc).delete(doc, { exists: true })],
  [
    'version preconditions',
    (batch, stale) => batch.set(doc, { a: 2 }).update(doc, { a: 3 }, { lastUpdateTime: stale }),
  ],
])('one commit cannot: %s, whatever else is wrong with it', async (message, add) => {
  const { writeTime } = await doc.set({ a: 1 });
  const batch = db.batch().update(db.doc('writes/missing'), { a: 1 });
  add(batch, writeTime);
  await expect(batch.commit()).rejects.toMatchObject({
    code: code.invalidArgument,
    message: expect.stringContaining(message),
  });
  expect(await dataOf()).toEqual({ a: 1 });
});

test('one version asked for twice in a commit is the version before it', async () => {
  const { writeTime: lastUpdateTime } = await doc.set({ a: 1 });
  const batch = db.batch().update(doc, { a: 2 }, { lastUpdateTime });
  await batch.update(doc, { b: 3 }, { lastUpdateTime }).commit();
  expect(await dataOf()).toEqual({ a: 2, b: 3 });
});

test('writes that together change nothing keep the update time, unless one deletes', async () => {
  const { writeTime: before } = await doc.set({ a: 1 });
  const results = await db.batch().set(doc, { a: 2 }).set(doc, { a: 1 }).commit();
  expect(results.map(({ writeTime }) => writeTime)).toEqual([before, before]);
  expect((await doc.get()).updateTime).toEqual(before);
  await db.batch().delete(doc).set(doc, { a: 1 }).commit();
  const { createTime, updateTime } = await doc.get();
  expect(updateTime).not.toEqual(before);
  expect(createTime).toEqual(updateTime);
});

test('a commit of many writes is accepted', async () => {
  const batch = db.batch();
  for (let i = 0; i < 600; i++) batch.set(db.doc(`many/${i}`), { i });
  await batch.commit();
  expect((await db.collection('many').count().get()).data().count).toBe(600);
});

test('each write of a bulk writer succeeds or fails by itself', async () => {
  await doc.create({ a: 1 });
  const other = db.doc(`writes/${++n}`);
  const writer = db.bulkWriter();
  writer.onWriteError(() => false);
  const outcomes = await Promise.allSettled([
    writer.create(doc, { a: 2 }),
    writer.set(other, { a: 3 }),
    writer.close(),
  ]);
  expect(outcomes.map(({ status }) => status)).toEqual(['rejected', 'fulfilled', 'fulfilled']);
  expect(outcomes[0]).toMatchObject({ reason: { code: code.alreadyExists } });
  expect([await dataOf(), await dataOf(other)]).toEqual([{ a: 1 }, { a: 3 }]);
});

test('a document of more than 1 MiB is refused', async () => {
  // Name 16 + "writes" 7 + id and end, field name 2, text end 1, overhead 32.
  const overheadBytes = 16 + 7 + doc.id.length + 1 + 2 + 1 + 32;
  await doc.set({ a: 'x'.repeat(1_048_576 - overheadBytes) });
  await expect(doc.set({ a: 'x'.repeat(1_048_576 - overheadBytes + 1) })).rejects.toMatchObject({
    code: code.invalidArgument,
    message: expect.stringContaining('exceeds the maximum allowed size of 1,048,576 bytes'),
  });
});

test('a request of more than 10 MiB is refused', async () => {
  const batch = db.batch();
  for (let i = 0; i < 11; i++) batch.set(db.doc(`large/${i}`), { a: 'x'.repeat(1_000_000) });
  await expect(batch.commit()).rejects.toMatchObject({ code: code.invalidArgument });
  expect((await db.collection('large').get()).empty).toBe(true);
});

test('an array directly inside an array is refused', async () => {
  await expect(doc.set({ a: [[1]] })).rejects.toMatchObject({ code: code.invalidArgument });
  await doc.set({ a: [{ b: [1] }] });
});

test('maps nested deeper than 20 levels are refused', async () => {
  const nested = (levels: number): object => (levels === 0 ? {} : { m: nested(levels - 1) });
  await doc.set(nested(20));
  await doc.update({ [`${'m.'.repeat(18)}m`]: nested(1) });
  await expect(doc.update({ [`${'m.'.repeat(20)}m`]: nested(1) })).rejects.toMatchObject({
    code: code.invalidArgument,
  });
});

test.each(['__reserved__', 'x'.repeat(1501)])('the id %.20s is refused', async (id) => {
  await expect(db.doc(`writes/${id}`).set({})).rejects.toMatchObject({
    code: code.invalidArgument,
  });
});

test('a reserved field name is refused', async () => {
  await expect(doc.set({ __x__: 1 })).rejects.toMatchObject({ code: code.invalidArgument });
});
