import {
  AggregateField,
  FieldPath,
  Filter,
  type Firestore,
  type Query,
} from '@google-cloud/firestore';
import { afterAll, beforeAll, expect, test } from 'vitest';

import { code, startFirestore, type TestFirestore } from './support.ts';

const ascending = (fieldPath: string) => ({ fieldPath, order: 'ASCENDING' });
const descending = (fieldPath: string) => ({ fieldPath, order: 'DESCENDING' });

let firestore: TestFirestore;
let db: Firestore;

beforeAll(async () => {
  firestore = await startFirestore({
    indexes: {
      indexes: [
        { collectionGroup: 'jobs', fields: [ascending('state'), descending('createdAt')] },
        { collectionGroup: 'jobs', fields: [ascending('owner'), descending('createdAt')] },
        {
          collectionGroup: 'jobs',
          queryScope: 'COLLECTION_GROUP',
          fields: [{ fieldPath: 'tags', arrayConfig: 'CONTAINS' }, ascending('rank')],
        },
        { collectionGroup: 'jobs', fields: [ascending('blob'), ascending('rank')] },
        { collectionGroup: 'jobs', fields: [ascending('state'), descending('__name__')] },
      ],
      fieldOverrides: [
        { collectionGroup: 'jobs', fieldPath: 'blob', indexes: [] },
        { collectionGroup: 'sealed', fieldPath: '*', indexes: [] },
      ],
    },
  });
  db = firestore.client;
});
afterAll(() => firestore.stop());

const jobs = () => db.collection('jobs');
const group = () => db.collectionGroup('jobs');
const name = FieldPath.documentId();

const served: Record<string, () => Query> = {
  'one equality': () => jobs().where('a', '==', 1),
  'several equalities': () => jobs().where('a', '==', 1).where('b', '==', 2).where('c', 'in', [1]),
  'an array search and an equality': () =>
    jobs().where('tags', 'array-contains', 1).where('a', '==', 1),
  'one range': () => jobs().where('a', '>', 1).where('a', '<', 3),
  'one order': () => jobs().orderBy('a', 'desc'),
  'an order by a field that is fixed': () => jobs().where('a', '==', 1).orderBy('a', 'desc'),
  'an equality and a range of names': () => jobs().where('a', '==', 1).where(name, '>', 'x'),
  'an equality in order of names': () => jobs().where('a', '==', 1).orderBy(name),
  'alternatives of single fields': () =>
    jobs().where(Filter.or(Filter.where('a', '==', 1), Filter.where('b', '==', 1))),
  'what a composite index has': () => jobs().where('state', '==', 1).orderBy('createdAt', 'desc'),
  'what two composite indexes have together': () =>
    jobs().where('state', '==', 1).where('owner', '==', 1).orderBy('createdAt', 'desc'),
  'an exempt field in a composite index': () => jobs().where('blob', '==', 1).orderBy('rank'),
  'names backwards with an index for it': () =>
    jobs().where('state', '==', 1).orderBy(name, 'desc'),
  'a whole collection group': () => group(),
  'a collection group with its index': () =>
    group().where('tags', 'array-contains', 1).orderBy('rank'),
  'names of a sealed collection': () => db.collection('sealed').where(name, '>', 'a'),
};

test.each(Object.keys(served))('%s is answered', async (title) => {
  const answer = await served[title]?.().get();
  expect(answer?.empty).toBe(true);
});

const missing: Record<string, [() => Query, object]> = {
  'an equality and an order': [
    () => jobs().where('a', '==', 1).orderBy('b'),
    { collectionGroup: 'jobs', queryScope: 'COLLECTION', fields: [ascending('a'), ascending('b')] },
  ],
  'an equality and a range': [
    () => jobs().where('a', '==', 1).where('b', '>', 1),
    { collectionGroup: 'jobs', queryScope: 'COLLECTION', fields: [ascending('a'), ascending('b')] },
  ],
  'an array search and an order': [
    () => jobs().where('tags', 'array-contains-any', [1, 2]).orderBy('b', 'desc'),
    {
      collectionGroup: 'jobs',
      queryScope: 'COLLECTION',
      fields: [{ fieldPath: 'tags', arrayConfig: 'CONTAINS' }, descending('b')],
    },
  ],
  'two orders': [
    () => jobs().orderBy('a').orderBy('b', 'desc'),
    {
      collectionGroup: 'jobs',
      queryScope: 'COLLECTION',
      fields: [ascending('a'), descending('b')],
    },
  ],
  'a composite index in the other direction': [
    () => jobs().where('state', '==', 1).orderBy('createdAt'),
    {
      collectionGroup: 'jobs',
      queryScope: 'COLLECTION',
      fields: [ascending('state'), ascending('createdAt')],
    },
  ],
  'names backwards': [
    () => jobs().orderBy(name, 'desc'),
    { collectionGroup: 'jobs', queryScope: 'COLLECTION', fields: [descending('__name__')] },
  ],
  'one alternative among several': [
    () =>
      jobs()
        .where(Filter.or(Filter.where('state', '==', 1), Filter.where('a', '==', 1)))
        .orderBy('createdAt', 'desc'),
    {
      collectionGroup: 'jobs',
      queryScope: 'COLLECTION',
      fields: [ascending('a'), descending('createdAt')],
    },
  ],
  'an exempt field': [
    () => jobs().where('blob', '==', 1),
    {
      collectionGroup: 'jobs',
      fieldPath: 'blob',
      indexes: [{ queryScope: 'COLLECTION', order: 'ASCENDING' }],
    },
  ],
  'a field inside an exempt map': [
    () => jobs().orderBy('blob.size', 'desc'),
    {
      collectionGroup: 'jobs',
      fieldPath: 'blob.size',
      indexes: [{ queryScope: 'COLLECTION', order: 'DESCENDING' }],
    },
  ],
  'any field of a sealed collection': [
    () => db.collection('sealed').where('x', '==', 1),
    {
      collectionGroup: 'sealed',
      fieldPath: 'x',
      indexes: [{ queryScope: 'COLLECTION', order: 'ASCENDING' }],
    },
  ],
  'a field of a collection group': [
    () => group().where('a', '==', 1),
    {
      collectionGroup: 'jobs',
      fieldPath: 'a',
      indexes: [{ queryScope: 'COLLECTION_GROUP', order: 'ASCENDING' }],
    },
  ],
};

test.each(Object.keys(missing))(
  '%s without an index is refused, naming the index',
  async (title) => {
    const [query, index] = missing[title] ?? [];
    const error: Error & { code?: number } = (await query?.()
      .get()
      .then(
        () => new Error('answered'),
        (reason: Error) => reason,
      )) as Error;
    expect(error.code).toBe(code.failedPrecondition);
    expect(error.message).toContain('The query requires an index.');
    expect(JSON.parse(error.message.slice(error.message.indexOf('{')))).toEqual(index);
  },
);

test('adding up a field under a filter needs an index of both', async () => {
  const total = (query: Query) => query.aggregate({ sum: AggregateField.sum('createdAt') }).get();
  await total(jobs());
  await total(jobs().where('state', '==', 1));
  await expect(total(jobs().where('a', '==', 1))).rejects.toMatchObject({
    code: code.failedPrecondition,
  });
});

test('a refused query costs nothing', async () => {
  firestore.meter.reset();
  await expect(jobs().where('blob', '==', 1).get()).rejects.toMatchObject({
    code: code.failedPrecondition,
  });
  expect(firestore.meter.read().reads).toBe(0);
});
