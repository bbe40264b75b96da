import { afterAll, beforeAll, expect, test } from 'vitest';

import { billFor, startFirestore, type TestFirestore } from './support.ts';

let firestore: TestFirestore;
beforeAll(async () => {
  firestore = await startFirestore({ indexes: 'any' });
  for (let i = 0; i < 5; i++) await firestore.client.doc(`plans/${i}`).set({ a: i % 2, b: i });
});
afterAll(() => firestore.stop());

const query = () => firestore.client.collection('plans').where('a', '==', 0).orderBy('b', 'desc');

test('a plan names its index, finds nothing and costs one read', async () => {
  const bill = await billFor(firestore, async () => {
    const { metrics, snapshot } = await query().explain();
    expect(snapshot).toBeNull();
    expect(metrics.executionStats).toBeNull();
    expect(metrics.planSummary.indexesUsed).toEqual([
      { query_scope: 'Collection', properties: '(a ASC, b DESC, __name__ DESC)' },
    ]);
  });
  expect(bill).toEqual({ reads: 1, writes: 0, deletes: 0 });
});

test('an analysis brings the results and what they cost', async () => {
  const bill = await billFor(firestore, async () => {
    const { metrics, snapshot } = await query().explain({ analyze: true });
    expect(snapshot?.size).toBe(3);
    expect(metrics.executionStats).toMatchObject({ resultsReturned: 3, readOperations: 3 });
  });
  expect(bill.reads).toBe(3);
  const counted = await query().count().explain({ analyze: true });
  expect(counted.snapshot?.data().count).toBe(3);
  expect(counted.metrics.executionStats).toMatchObject({ resultsReturned: 1, readOperations: 1 });
});
