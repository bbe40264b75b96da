import fc from 'fast-check';
import { expect, test } from 'vitest';

import { SortedList } from '../../../local/firestore/sorted-list.ts';

test('items stay in order through thousands of insertions and removals', () => {
  fc.assert(
    fc.property(
      fc.uniqueArray(fc.integer(), { minLength: 600, maxLength: 3000 }),
      fc.integer(),
      (items, from) => {
        const list = new SortedList<number>((a, b) => a - b);
        for (const item of items) list.insert(item);
        const removed = new Set(items.filter((_, i) => i % 3 !== 0));
        for (const item of removed) expect(list.remove(item)).toBe(true);
        for (const item of removed) expect(list.remove(item)).toBe(false);
        const kept = items.filter((item) => !removed.has(item)).sort((a, b) => a - b);
        expect(list.size).toBe(kept.length);
        expect([...list.scan()]).toEqual(kept);
        expect([...list.scan((item) => item < from)]).toEqual(kept.filter((item) => item >= from));
      },
    ),
    { numRuns: 20 },
  );
});
