import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { z } from 'zod';

import type { Query } from '../../shared/runtime/services.ts';
import { collection, ref } from '../../shared/store/collection.ts';
import { set } from '../../shared/store/decision.ts';
import { type Ground, type Instance, openGround } from './support/ground.ts';

const Item = z.object({ rank: z.int(), at: z.string(), tags: z.array(z.string()) });
type Item = z.infer<typeof Item>;
const items = collection('items', Item);
const parts = collection('boxes/*/parts', Item);

const ALL = 7;
const itemOf = (i: number): Item => ({
  rank: i,
  // Pairs share a time, so that only the id tells them apart.
  at: `2026-01-${10 + Math.floor(i / 2)}T00:00:00+01:00/x`,
  tags: i % 2 === 0 ? ['even'] : ['odd'],
});

let ground: Ground;
let services: Instance;
beforeAll(async () => {
  ground = await openGround();
  services = ground.instance();
  const range = Array.from({ length: ALL }, (_, i) => i);
  await services.store.write([
    ...range.map((i) => set(ref(items, `i${i}`), itemOf(i))),
    ...range.map((i) => set(ref(parts, i < 3 ? 'b1' : 'b2', `p${i}`), itemOf(i))),
  ]);
});
afterAll(() => ground.close());

/** Follows `nextCursor` to the end: the ranks, page by page. */
async function pagesOf(query: Omit<Query<Item>, 'cursor'>): Promise<number[][]> {
  const pages: number[][] = [];
  let cursor: string | undefined;
  do {
    const page = await services.store.query({ ...query, cursor });
    pages.push(page.docs.map(({ rank }) => rank));
    cursor = page.nextCursor ?? undefined;
  } while (cursor !== undefined && pages.length < 20);
  return pages;
}

describe('the pages of a query', () => {
  it('hold every document once, in the order of their ids', async () => {
    expect(await pagesOf({ collection: items, limit: 3 })).toEqual([[0, 1, 2], [3, 4, 5], [6]]);
  });

  it('end without a cursor when the last one is not full', async () => {
    const page = await services.store.query({ collection: items, limit: ALL + 1 });
    expect(page.docs).toHaveLength(ALL);
    expect(page.nextCursor).toBeNull();
  });

  it('follow a field, ties broken by the id', async () => {
    const query = { collection: items, orderBy: { field: 'at' }, limit: 3 };
    expect(await pagesOf(query)).toEqual([[0, 1, 2], [3, 4, 5], [6]]);
    const descending = { ...query, orderBy: { field: 'at', descending: true } };
    expect(await pagesOf(descending)).toEqual([[6, 5, 4], [3, 2, 1], [0]]);
    const byRank = { ...query, orderBy: { field: 'rank', descending: true } };
    expect((await pagesOf(byRank)).flat()).toEqual([6, 5, 4, 3, 2, 1, 0]);
  });

  it('hold only what the filters let through', async () => {
    const where = [{ field: 'tags', op: 'array-contains', value: 'even' }] as const;
    expect(await pagesOf({ collection: items, where, limit: 3 })).toEqual([[0, 2, 4], [6]]);
    expect(await services.store.count({ collection: items, where })).toBe(4);
  });

  it('stay under their parent', async () => {
    expect(await pagesOf({ collection: parts, parents: ['b1'], limit: 10 })).toEqual([[0, 1, 2]]);
    expect(await services.store.count({ collection: parts, parents: ['b2'] })).toBe(4);
  });

  it('can begin after an id', async () => {
    const page = await services.store.query({ collection: items, afterId: 'i4', limit: 10 });
    expect(page.docs.map(({ rank }) => rank)).toEqual([5, 6]);
  });

  it('cost one read for each document they hold', async () => {
    const { usage } = await ground.cloud.meter.measure(() =>
      services.store.query({ collection: items, limit: 3 }),
    );
    expect(usage).toMatchObject({ reads: 3, writes: 0, rpcs: { RunQuery: 1 } });
  });
});

describe('a cursor that is not one of the query', () => {
  const cursorOf = (value: unknown) => Buffer.from(JSON.stringify(value)).toString('base64url');
  const NOT_OURS = {
    code: 'invalid_request',
    details: [{ field: 'query.cursor', reason: expect.any(String) }],
  };

  it.each([
    ['nonsense', 'nonsense'],
    ['empty', ''],
    ['not JSON', Buffer.from('[').toString('base64url')],
    ['no list', cursorOf({ id: 'i1' })],
    ['an empty list', cursorOf([])],
    ['too long', cursorOf(['a', 'i1'])],
    ['a number for an id', cursorOf([5])],
    ['an empty id', cursorOf([''])],
    ['a path for an id', cursorOf(['i1/parts/p1'])],
    ['an id that no document can have', cursorOf(['..'])],
    ['a reserved id', cursorOf(['__id__'])],
    ['null', cursorOf([null])],
    ['an object', cursorOf([{ a: 1 }])],
  ])('is an invalid request: %s', async (_what, cursor) => {
    await expect(
      services.store.query({ collection: items, limit: 3, cursor }),
    ).rejects.toMatchObject(NOT_OURS);
  });

  it.each([
    ['of a query in id order', cursorOf(['i1'])],
    ['an object for the field', cursorOf([{ a: 1 }, 'i1'])],
    ['a number for the id', cursorOf(['2026', 1])],
  ])('is an invalid request where a field orders: %s', async (_what, cursor) => {
    await expect(
      services.store.query({ collection: items, orderBy: { field: 'at' }, limit: 3, cursor }),
    ).rejects.toMatchObject(NOT_OURS);
  });
});
