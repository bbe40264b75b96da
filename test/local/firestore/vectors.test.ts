import { FieldValue, type Firestore, type VectorQueryOptions } from '@google-cloud/firestore';
import { afterAll, beforeAll, expect, test } from 'vitest';

import { billFor, code, startFirestore, type TestFirestore } from './support.ts';

const vectorIndex = (dimension: number, ...others: readonly string[]) => ({
  collectionGroup: 'points',
  fields: [
    ...others.map((fieldPath) => ({ fieldPath, order: 'ASCENDING' })),
    { fieldPath: 'at', vectorConfig: { dimension, flat: {} } },
  ],
});

let firestore: TestFirestore;
let db: Firestore;
beforeAll(async () => {
  firestore = await startFirestore({
    indexes: { indexes: [vectorIndex(2), vectorIndex(2, 'kind')] },
  });
  db = firestore.client;
  const points: Record<string, [number, number]> = {
    origin: [0, 0],
    near: [1, 1],
    east: [10, 0],
    far: [20, 20],
  };
  for (const [id, at] of Object.entries(points)) {
    const kind = id === 'far' ? 'other' : 'same';
    await db.doc(`points/${id}`).set({ at: FieldValue.vector(at), kind });
  }
  await db.doc('points/flatland').set({ at: FieldValue.vector([1]), kind: 'same' });
  await db.doc('points/nowhere').set({ kind: 'same' });
});
afterAll(() => firestore.stop());

const nearest = (options: Partial<VectorQueryOptions> = {}) =>
  db.collection('points').findNearest({
    vectorField: 'at',
    queryVector: [2, 1],
    limit: 10,
    distanceMeasure: 'EUCLIDEAN',
    ...options,
  });

test('the nearest documents come first, by any of the three measures', async () => {
  const ids = async (options: Partial<VectorQueryOptions>) =>
    (await nearest(options).get()).docs.map(({ id }) => id);
  expect(await ids({ distanceMeasure: 'EUCLIDEAN' })).toEqual(['near', 'origin', 'east', 'far']);
  expect(await ids({ distanceMeasure: 'DOT_PRODUCT' })).toEqual(['far', 'east', 'near', 'origin']);
  // The origin has no direction, so no cosine.
  expect((await ids({ distanceMeasure: 'COSINE' })).toSorted()).toEqual(['east', 'far', 'near']);
  expect(await ids({ limit: 2 })).toEqual(['near', 'origin']);
  expect(await ids({ distanceThreshold: 2 })).toEqual(['near']);
  expect(await ids({ distanceMeasure: 'DOT_PRODUCT', distanceThreshold: 20 })).toEqual([
    'far',
    'east',
  ]);
});

test('filters come before the search, and a distance comes along when asked for', async () => {
  const { docs } = await db
    .collection('points')
    .where('kind', '==', 'other')
    .select('kind')
    .findNearest({
      vectorField: 'at',
      queryVector: [20, 17],
      limit: 1,
      distanceMeasure: 'EUCLIDEAN',
      distanceResultField: 'found.distance',
    })
    .get();
  expect(docs.map((doc) => doc.data())).toEqual([{ kind: 'other', found: { distance: 3 } }]);
});

test('a vector search is billed for its results and for the vectors compared, a hundred to a read', async () => {
  expect(await billFor(firestore, () => nearest({ limit: 1 }).get())).toMatchObject({ reads: 2 });
});

test('a vector search needs its vector index, of the right length and with every filtered field', async () => {
  await expect(nearest({ queryVector: [1, 2, 3] }).get()).rejects.toMatchObject({
    code: code.failedPrecondition,
    message: expect.stringContaining('"vectorConfig":{"dimension":3,"flat":{}}'),
  });
  const filtered = db
    .collection('points')
    .where('size', '==', 1)
    .findNearest({
      vectorField: 'at',
      queryVector: [1, 2],
      limit: 1,
      distanceMeasure: 'EUCLIDEAN',
    });
  await expect(filtered.get()).rejects.toMatchObject({ code: code.failedPrecondition });
});

test('a vector is at most 2,048 long, and only numbers', async () => {
  const doc = db.doc('points/long');
  const ones = (length: number) => FieldValue.vector(Array<number>(length).fill(1));
  await doc.set({ v: ones(2048) });
  await expect(doc.set({ v: ones(2049) })).rejects.toMatchObject({ code: code.invalidArgument });
  await expect(doc.set({ v: { __type__: '__vector__', value: ['a'] } })).rejects.toMatchObject({
    code: code.invalidArgument,
  });
});
