import { FieldValue, type Firestore, GeoPoint, Timestamp } from '@google-cloud/firestore';
import { expect, test } from 'vitest';

import { startFirestore } from './support.ts';

/** Written in this order, each group of equals in one entry. */
const ascending = (db: Firestore): unknown[][] => [
  [null],
  [false],
  [true],
  [Number.NaN],
  [Number.NEGATIVE_INFINITY],
  [-(2n ** 63n)],
  [-1],
  [0, -0],
  [0.5],
  [1, 1n],
  [2 ** 53, 2n ** 53n],
  [2n ** 53n + 1n],
  [2n ** 63n - 1n],
  [2 ** 63],
  [Number.POSITIVE_INFINITY],
  [new Timestamp(1, 0)],
  [new Timestamp(1, 1000)],
  [''],
  ['a'],
  ['aa'],
  ['b'],
  ['\u{ffff}'],
  ['\u{1f600}'],
  [Buffer.from([])],
  [Buffer.from([1])],
  [Buffer.from([1, 0])],
  [Buffer.from([255])],
  [db.doc('a/b')],
  [db.doc('a/b/c/d')],
  [db.doc('a/b-c')],
  [new GeoPoint(-1, 5)],
  [new GeoPoint(0, -5)],
  [[]],
  [[1]],
  [[1, null]],
  [['a']],
  [FieldValue.vector([5])],
  [FieldValue.vector([1, 2])],
  [FieldValue.vector([1, 3])],
  [{}],
  [{ a: 1 }],
  [{ a: 1, b: 0 }],
  [{ a: 2 }],
  [{ b: 0 }],
];

test('values of all types sort as Firestore sorts them, and equal ones find each other', async () => {
  const firestore = await startFirestore();
  const db = firestore.client;
  const groups = ascending(db);
  const all = db.collection('values');
  const batch = db.batch();
  const id = (group: number, i: number) => `${String(group).padStart(2, '0')}-${i}`;
  for (const [group, values] of groups.entries()) {
    for (const [i, v] of values.entries()) batch.set(all.doc(id(group, i)), { v });
  }
  await batch.commit();
  const expected = groups.flatMap((values, group) => values.map((_, i) => id(group, i)));
  const found = await all.orderBy('v').get();
  expect(found.docs.map((doc) => doc.id)).toEqual(expected);
  const backwards = await all.orderBy('v', 'desc').get();
  expect(backwards.docs.map((doc) => doc.id)).toEqual(expected.toReversed());
  for (const [group, values] of groups.entries()) {
    for (const v of values) {
      const equal = await all.where('v', '==', v).get();
      expect(equal.docs.map((doc) => doc.id)).toEqual(values.map((_, i) => id(group, i)));
    }
  }
  await firestore.stop();
});
