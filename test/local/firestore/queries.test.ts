import { FieldPath, Filter, type Firestore, type Query } from '@google-cloud/firestore';
import { afterAll, beforeAll, expect, test } from 'vitest';

import { code, startFirestore, type TestFirestore } from './support.ts';

const cities: Record<string, object> = {
  berlin: { country: 'de', people: 3.7, tags: ['capital', 'river'], at: { north: 52 } },
  bonn: { country: 'de', people: 0.3, tags: ['river'], at: { north: 50 } },
  lima: { country: 'pe', people: 10, tags: ['capital', 'coast'], at: { north: -12 } },
  nowhere: { country: null, people: Number.NaN, tags: [null, Number.NaN] },
  oslo: { country: 'no', people: 0.7, tags: ['capital', 'coast', 'fjord'], at: { north: 59 } },
  shell: {},
};

const ascending = (fieldPath: string) => ({ fieldPath, order: 'ASCENDING' });
const descending = (fieldPath: string) => ({ fieldPath, order: 'DESCENDING' });
const composite = (...fields: object[]) => ({
  collectionGroup: 'cities',
  fields: fields as { fieldPath: string }[],
});

let firestore: TestFirestore;
let db: Firestore;
let all: FirebaseFirestore.CollectionReference;

beforeAll(async () => {
  firestore = await startFirestore({
    indexes: {
      indexes: [
        composite(ascending('country'), ascending('people')),
        composite(ascending('country'), descending('people')),
        composite(ascending('people'), ascending('country')),
        composite({ fieldPath: 'tags', arrayConfig: 'CONTAINS' }, descending('people')),
        composite(descending('__name__')),
      ],
      fieldOverrides: [
        {
          collectionGroup: 'districts',
          fieldPath: 'name',
          indexes: [{ queryScope: 'COLLECTION_GROUP', order: 'ASCENDING' }],
        },
      ],
    },
  });
  db = firestore.client;
  all = db.collection('cities');
  const batch = db.batch();
  for (const [id, city] of Object.entries(cities)) batch.set(all.doc(id), city);
  for (const path of [
    'berlin/districts/mitte',
    'berlin/districts/wedding',
    'oslo/districts/sagene',
  ])
    batch.set(all.doc(path), { name: path.split('/')[2] });
  batch.set(db.doc('other/x/districts/mitte'), { name: 'mitte' });
  await batch.commit();
});
afterAll(() => firestore.stop());

const ids = async (query: Query) => (await query.get()).docs.map(({ id }) => id);
const refused = (query: Query) =>
  expect(query.get()).rejects.toMatchObject({ code: code.invalidArgument });

test('a collection lists its own documents by name', async () => {
  expect(await ids(all)).toEqual(['berlin', 'bonn', 'lima', 'nowhere', 'oslo', 'shell']);
});

test.each([
  ['==', 'country', 'de', ['berlin', 'bonn']],
  ['==', 'country', null, ['nowhere']],
  ['==', 'people', Number.NaN, ['nowhere']],
  ['!=', 'country', 'de', ['oslo', 'lima']],
  ['!=', 'country', null, ['berlin', 'bonn', 'oslo', 'lima']],
  ['!=', 'people', Number.NaN, ['bonn', 'oslo', 'berlin', 'lima']],
  ['<', 'people', 1, ['bonn', 'oslo']],
  ['<=', 'people', 0.3, ['bonn']],
  ['>', 'people', 0.7, ['berlin', 'lima']],
  ['>=', 'people', 0.7, ['oslo', 'berlin', 'lima']],
  ['>', 'country', 'no', ['lima']],
  ['>', 'at.north', 50, ['berlin', 'oslo']],
  ['array-contains', 'tags', 'coast', ['lima', 'oslo']],
  ['array-contains-any', 'tags', ['fjord', 'river'], ['berlin', 'bonn', 'oslo']],
  ['array-contains-any', 'tags', [null, Number.NaN], []],
  ['in', 'country', ['pe', 'no', 'xx'], ['lima', 'oslo']],
  ['in', 'country', [null], []],
  ['in', 'tags', [['river']], ['bonn']],
  ['not-in', 'country', ['pe', 'no'], ['berlin', 'bonn']],
  ['not-in', 'country', ['pe', null], []],
  ['not-in', 'people', [Number.NaN], ['bonn', 'oslo', 'berlin', 'lima']],
] as const)('%s on %s with %j finds what it should', async (op, field, value, found) => {
  expect(await ids(all.where(field, op, value))).toEqual(found);
});

test('equalities on several fields are joined', async () => {
  expect(
    await ids(all.where('country', '==', 'de').where('tags', 'array-contains', 'capital')),
  ).toEqual(['berlin']);
  expect(await ids(all.where('country', '==', 'de').where('country', '==', 'no'))).toEqual([]);
});

test('alternatives find each document once, in one order', async () => {
  const either = Filter.or(
    Filter.where('country', '==', 'de'),
    Filter.and(
      Filter.where('tags', 'array-contains', 'capital'),
      Filter.where('country', 'in', ['no', 'de']),
    ),
  );
  expect(await ids(all.where(either))).toEqual(['berlin', 'bonn', 'oslo']);
});

test('an order leaves out documents without the field', async () => {
  expect(await ids(all.orderBy('people', 'desc'))).toEqual([
    'lima',
    'berlin',
    'oslo',
    'bonn',
    'nowhere',
  ]);
});

test('ties are broken by name in the direction of the last order', async () => {
  expect(await ids(all.orderBy('country', 'desc'))).toEqual([
    'lima',
    'oslo',
    'bonn',
    'berlin',
    'nowhere',
  ]);
});

test('an equality and an order are served by their composite index', async () => {
  const germany = all.where('country', '==', 'de');
  expect(await ids(germany.orderBy('people'))).toEqual(['bonn', 'berlin']);
  expect(await ids(germany.orderBy('people', 'desc').limit(1))).toEqual(['berlin']);
  expect(await ids(all.where('country', 'in', ['no', 'de']).where('people', '>', 0.5))).toEqual([
    'oslo',
    'berlin',
  ]);
  expect(
    await ids(
      all.where('tags', 'array-contains-any', ['coast', 'river']).orderBy('people', 'desc'),
    ),
  ).toEqual(['lima', 'berlin', 'oslo', 'bonn']);
});

test('inequalities on two fields are ordered by both', async () => {
  expect(
    await ids(all.where('people', '>', 0.5).where('country', '>', 'de').orderBy('people')),
  ).toEqual(['oslo', 'lima']);
});

test('limit, offset and limitToLast cut the result', async () => {
  expect(await ids(all.limit(2))).toEqual(['berlin', 'bonn']);
  expect(await ids(all.offset(4))).toEqual(['oslo', 'shell']);
  expect(await ids(all.orderBy('people').limitToLast(2))).toEqual(['berlin', 'lima']);
  expect(await ids(all.orderBy(FieldPath.documentId()).limitToLast(2))).toEqual(['oslo', 'shell']);
});

test('cursors start and end at values or documents', async () => {
  const byPeople = all.orderBy('people');
  expect(await ids(byPeople.startAt(0.7))).toEqual(['oslo', 'berlin', 'lima']);
  expect(await ids(byPeople.startAfter(0.7).endBefore(10))).toEqual(['berlin']);
  expect(await ids(byPeople.endAt(0.7))).toEqual(['nowhere', 'bonn', 'oslo']);
  expect(await ids(all.orderBy('people', 'desc').startAfter(3.7))).toEqual([
    'oslo',
    'bonn',
    'nowhere',
  ]);
  const berlin = await all.doc('berlin').get();
  expect(await ids(all.orderBy('country').startAfter(berlin))).toEqual(['bonn', 'oslo', 'lima']);
  expect(await ids(all.startAfter(berlin).limit(2))).toEqual(['bonn', 'lima']);
});

test('names can be filtered like a field', async () => {
  const name = FieldPath.documentId();
  expect(await ids(all.where(name, '==', 'lima'))).toEqual(['lima']);
  expect(await ids(all.where(name, 'in', ['oslo', 'bonn', 'none']))).toEqual(['bonn', 'oslo']);
  expect(await ids(all.where(name, '>', 'lima').where(name, '<', 'shell'))).toEqual([
    'nowhere',
    'oslo',
  ]);
  expect(await ids(all.where('country', '==', 'de').where(name, '>', 'berlin'))).toEqual(['bonn']);
  expect(await ids(all.where(name, '!=', 'lima').orderBy(name, 'desc').limit(2))).toEqual([
    'shell',
    'oslo',
  ]);
});

test('a projection returns only the chosen fields', async () => {
  const { docs } = await all.where('country', '==', 'no').select('at.north', 'people').get();
  expect(docs.map((one) => one.data())).toEqual([{ at: { north: 59 }, people: 0.7 }]);
  const names = await all.where('country', '==', 'no').select().get();
  expect(names.docs.map((one) => [one.id, one.data()])).toEqual([['oslo', {}]]);
});

test('a collection group reaches collections of that id anywhere, or below one document', async () => {
  expect(await ids(db.collectionGroup('districts'))).toEqual([
    'mitte',
    'wedding',
    'sagene',
    'mitte',
  ]);
  const { docs } = await db.collectionGroup('districts').where('name', '==', 'mitte').get();
  expect(docs.map(({ ref }) => ref.path)).toEqual([
    'cities/berlin/districts/mitte',
    'other/x/districts/mitte',
  ]);
});

test('deleting recursively reaches everything below a document', async () => {
  const root = db.doc('trees/oak');
  await root.collection('leaves').doc('1').set({});
  await root.collection('leaves').doc('1').collection('veins').doc('a').set({});
  await root.set({});
  await db.doc('trees/oak-tree').set({});
  await db.recursiveDelete(root);
  expect(await ids(db.collection('trees'))).toEqual(['oak-tree']);
  expect(await ids(db.collectionGroup('veins'))).toEqual([]);
  expect(await root.listCollections()).toEqual([]);
});

test('aggregations count, add and average the documents that have the fields', async () => {
  const { AggregateField } = await import('@google-cloud/firestore');
  const result = await all
    .where('country', '==', 'de')
    .aggregate({
      count: AggregateField.count(),
      sum: AggregateField.sum('people'),
      average: AggregateField.average('people'),
    })
    .get();
  expect(result.data()).toEqual({ count: 2, sum: 4, average: 2 });
  const none = db.collection('none');
  const empty = await none
    .aggregate({ sum: AggregateField.sum('x'), average: AggregateField.average('x') })
    .get();
  expect(empty.data()).toEqual({ sum: 0, average: null });
  expect((await all.limit(3).count().get()).data().count).toBe(3);
});

test('a limit leaves out what is last by the added-up fields, in their own order', async () => {
  const { AggregateField } = await import('@google-cloud/firestore');
  const sums = db.collection('sums');
  const rows = [
    { b: 5, c: 5 },
    { b: 3, c: 7 },
    { b: 9, c: 1 },
  ];
  for (const row of rows) await sums.add({ n: 1, ...row });
  const b = AggregateField.sum('b');
  const c = AggregateField.sum('c');
  expect((await sums.limit(2).aggregate({ b }).get()).data()).toEqual({ b: 8 });
  expect((await sums.limit(2).aggregate({ c }).get()).data()).toEqual({ c: 6 });
});

test('what is added up must be returned by the query, and cannot come after the name', async () => {
  const { AggregateField } = await import('@google-cloud/firestore');
  const refuses = (query: Query) =>
    expect(query.aggregate({ sum: AggregateField.sum('people') }).get()).rejects.toMatchObject({
      code: code.invalidArgument,
    });
  await Promise.all([
    refuses(all.select('country')),
    refuses(all.select()),
    refuses(all.orderBy(FieldPath.documentId())),
  ]);
  const chosen = all.select('people').where('country', '==', 'de');
  const sum = await chosen.aggregate({ sum: AggregateField.sum('people') }).get();
  expect(sum.data()).toEqual({ sum: 4 });
});

test('a second negation is refused', async () => {
  expect(await ids(all.where('people', '!=', 10))).toEqual(['nowhere', 'bonn', 'oslo', 'berlin']);
  await Promise.all([
    refused(all.where('people', '!=', 1).where('country', '!=', 'de')),
    refused(all.where('people', '!=', null).where('country', 'not-in', ['de'])),
    refused(all.where(Filter.or(Filter.where('people', '!=', 1), Filter.where('at', '!=', 1)))),
  ]);
});

test('a past state can be read for a while', async () => {
  const doc = db.doc('past/a');
  await doc.set({ v: 1 });
  const { readTime } = await doc.get();
  await doc.set({ v: 2 });
  await db.doc('past/b').set({ v: 1 });
  const past = await db.runTransaction(
    async (transaction) => {
      const found = await transaction.get(db.collection('past'));
      const one = await transaction.get(doc);
      return [...found.docs, one].map((snapshot) => snapshot.data());
    },
    { readOnly: true, readTime },
  );
  expect(past).toEqual([{ v: 1 }, { v: 1 }]);
});

test('listing shows documents that only hold others, and collections below a document', async () => {
  await db.doc('lists/real').set({});
  await db.doc('lists/ghost/inner/1').set({});
  await db.doc('lists/ghost/other/1').set({});
  const references = await db.collection('lists').listDocuments();
  expect(references.map(({ id }) => id)).toEqual(['ghost', 'real']);
  const collections = await db.doc('lists/ghost').listCollections();
  expect(collections.map(({ id }) => id)).toEqual(['inner', 'other']);
  expect((await db.listCollections()).map(({ id }) => id)).toContain('lists');
});

test('listing goes on over many pages', async () => {
  const batch = db.batch();
  for (let i = 0; i < 700; i++) batch.set(db.doc(`pages/${i}`), {});
  await batch.commit();
  const references = await db.collection('pages').listDocuments();
  expect(new Set(references.map(({ id }) => id)).size).toBe(700);
});

test('queries beyond the limits on values and disjunctions are refused', async () => {
  const values = (n: number) => Array.from({ length: n }, (_, i) => i);
  expect(await ids(all.where('people', 'in', values(30)))).toEqual(['lima']);
  await refused(all.where('people', 'in', values(31)));
  await refused(all.where('tags', 'array-contains-any', values(31)));
  await refused(all.where('people', 'not-in', values(11)));
  await refused(all.where('people', 'in', values(6)).where('country', 'in', values(6)));
  await refused(all.where('tags', 'array-contains', 'a').where('tags', 'array-contains', 'b'));
});
