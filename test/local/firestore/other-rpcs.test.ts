import { type Firestore, Timestamp } from '@google-cloud/firestore';
import { afterAll, beforeAll, expect, test } from 'vitest';

import { code, DATABASE, rawClient, startFirestore, type TestFirestore } from './support.ts';

const ROOT = `${DATABASE}/documents`;

let firestore: TestFirestore;
let db: Firestore;
let raw: ReturnType<typeof rawClient>;
beforeAll(async () => {
  firestore = await startFirestore();
  db = firestore.client;
  raw = rawClient(firestore);
});
afterAll(async () => {
  await raw.close();
  await firestore.stop();
});

const n = (value: number) => ({ n: { integerValue: value } });
const nOf = ({ fields }: { fields?: object | null }) =>
  Object.values(fields ?? {})[0]?.integerValue;

test('a single document is created, updated and deleted without a commit', async () => {
  const create = {
    parent: ROOT,
    collectionId: 'single',
    documentId: 'a',
    document: { fields: n(1) },
  };
  const name = `${ROOT}/single/a`;
  const [created] = await raw.createDocument(create);
  expect([created.name, nOf(created)]).toEqual([name, '1']);
  await expect(raw.createDocument(create)).rejects.toMatchObject({ code: code.alreadyExists });
  const [invented] = await raw.createDocument({ ...create, documentId: '' });
  expect(invented.name).toMatch(/single\/\w{20}$/);
  const [updated] = await raw.updateDocument({
    document: { name, fields: { m: { integerValue: 2 } } },
    updateMask: { fieldPaths: ['m'] },
    mask: { fieldPaths: ['n'] },
  });
  expect([Object.keys(updated.fields ?? {}), nOf(updated)]).toEqual([['n'], '1']);
  expect((await db.doc('single/a').get()).data()).toEqual({ n: 1, m: 2 });
  const currentDocument = { exists: true };
  await raw.deleteDocument({ name, currentDocument });
  await expect(raw.deleteDocument({ name, currentDocument })).rejects.toMatchObject({
    code: code.notFound,
  });
});

test('documents are listed by a field, page by page, and as they were', async () => {
  const values = Object.entries({ a: 3, b: 1, c: 2 });
  for (const [id, value] of values) await db.doc(`listed/${id}`).set({ n: value });
  const readTime = Timestamp.fromMillis(firestore.clock.nowMs() + 1);
  await firestore.clock.advance(1000);
  await db.doc('listed/b').delete();
  await db.doc('listed/missing/below/x').set({});
  const list = async (more: object) => {
    const ids: (string | undefined)[] = [];
    for (let pageToken = ''; ;) {
      const request = { parent: ROOT, collectionId: 'listed', pageSize: 2, pageToken, ...more };
      const [documents, , page] = await raw.listDocuments(request, { autoPaginate: false });
      ids.push(...documents.map(({ name }) => name?.split('/').at(-1)));
      pageToken = page.nextPageToken ?? '';
      if (!pageToken) return ids;
    }
  };
  expect(await list({ orderBy: 'n desc' })).toEqual(['a', 'c']);
  expect(
    await list({ readTime: { seconds: readTime.seconds, nanos: readTime.nanoseconds } }),
  ).toEqual(['a', 'b', 'c']);
  expect(await list({ showMissing: true })).toEqual(['a', 'c', 'missing']);
  for (const orderBy of ['n sideways', 'n asc asc']) {
    await expect(list({ orderBy })).rejects.toMatchObject({ code: code.invalidArgument });
  }
  await expect(list({ orderBy: 'n', showMissing: true })).rejects.toMatchObject({
    code: code.invalidArgument,
  });
});

test('a collection group is cut into equal parts that together hold every document once', async () => {
  const batch = db.batch();
  for (let i = 0; i < 500; i++) batch.set(db.doc(`owners/${i % 7}/cut/${i}`), {});
  await batch.commit();
  const cutInto = async (parts: number) => {
    const sizes: number[] = [];
    const ids = new Set<string>();
    for await (const partition of db.collectionGroup('cut').getPartitions(parts)) {
      const { docs } = await partition.toQuery().get();
      sizes.push(docs.length);
      for (const doc of docs) ids.add(doc.ref.path);
    }
    expect(ids.size).toBe(500);
    return sizes;
  };
  expect(await cutInto(2)).toEqual([250, 250]);
  // Parts do not get smaller than 128 documents.
  expect(await cutInto(100)).toEqual([128, 128, 128, 116]);
  const query = { from: [{ collectionId: 'cut' }] };
  await expect(
    raw.partitionQuery({ parent: ROOT, structuredQuery: query, partitionCount: 2 }),
  ).rejects.toMatchObject({ code: code.invalidArgument });
});
