import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';

import { afterAll, expect, test } from 'vitest';

import { billFor, startFirestore } from './support.ts';

const folder = mkdtempSync(join(tmpdir(), 'purvey-firestore-'));
afterAll(() => rmSync(folder, { recursive: true }));

test('a restored dump has the documents, queries and times of its moment, also after a restart', async () => {
  const file = join(folder, 'dump.sqlite');
  const firestore = await startFirestore({ file });
  const { client, service } = firestore;
  const all = client.collection('all');
  const ids = async () => (await all.where('n', '>', 0).get()).docs.map(({ id }) => id);
  for (const [id, n] of Object.entries({ a: 1, b: 2, c: 3 })) await all.doc(id).set({ n });
  const before = await all.doc('a').get();
  const dump = service.dump();
  for (let round = 0; round < 2; round++) {
    await all.doc('a').set({ n: 9 });
    await all.doc('b').delete();
    await all.doc('d').set({ n: 4 });
    expect(await ids()).toEqual(['c', 'd', 'a']);
    service.restore(dump);
    expect(await ids()).toEqual(['a', 'b', 'c']);
  }
  expect((await all.doc('a').get()).updateTime).toEqual(before.updateTime);
  await firestore.stop();
  const again = await startFirestore({ file });
  expect([...again.service.snapshot().values()].map(({ id }) => id)).toEqual(['a', 'b', 'c']);
  await again.stop();
});

test('a restore is free, is heard by listeners and ends transactions', async () => {
  const firestore = await startFirestore();
  const { client, service } = firestore;
  const doc = client.doc('all/a');
  await doc.set({ n: 1 });
  const dump = service.dump();
  await doc.set({ n: 2 });
  const heard: unknown[] = [];
  const restored = Promise.withResolvers<void>();
  const stop = doc.onSnapshot((snapshot) => {
    heard.push(snapshot.get('n'));
    if (heard.length === 1) service.restore(dump);
    else restored.resolve();
  });
  await restored.promise;
  stop();
  expect(heard).toEqual([2, 1]);
  let attempts = 0;
  await client.runTransaction(async (transaction) => {
    await transaction.get(doc);
    if (++attempts === 1) service.restore(dump);
    transaction.update(doc, { attempts });
  });
  expect((await doc.get()).get('attempts')).toBe(2);
  expect(await billFor(firestore, async () => service.restore(dump))).toEqual({
    reads: 0,
    writes: 0,
    deletes: 0,
  });
  await firestore.stop();
});

test('a dump of another database, even one from the future, is taken over', async () => {
  const [later, firestore] = [await startFirestore(), await startFirestore()];
  await later.clock.advance(3_600_000);
  const { writeTime } = await later.client.doc('all/a').set({ n: 1 });
  firestore.service.restore(later.service.dump());
  const doc = firestore.client.doc('all/a');
  expect((await doc.get()).updateTime).toEqual(writeTime);
  const next = await doc.update({ n: 2 });
  expect(next.writeTime.valueOf() > writeTime.valueOf()).toBe(true);
  await later.stop();
  await firestore.stop();
});

test('a restore of ten thousand documents takes no longer than what has changed', async () => {
  const firestore = await startFirestore();
  const { client, service } = firestore;
  for (let start = 0; start < 10_000; start += 500) {
    const batch = client.batch();
    for (let i = start; i < start + 500; i++) batch.set(client.doc(`many/${i}`), { i });
    await batch.commit();
  }
  const dump = service.dump();
  await client.doc('many/1').delete();
  const startMs = performance.now();
  service.restore(dump);
  expect(performance.now() - startMs).toBeLessThan(250);
  expect(service.snapshot().size).toBe(10_000);
  await firestore.stop();
});
