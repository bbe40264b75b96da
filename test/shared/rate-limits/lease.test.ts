import fc from 'fast-check';
import { describe, expect, it } from 'vitest';

import {
  type RateLimit,
  RateLimit as Schema,
  blockOf,
  lease,
  windowStartMs,
} from '../../../shared/rate-limits/lease.ts';

const endMs = Date.UTC(2026, 0, 15, 10, 1);
const used = (n: number): RateLimit => ({ used: n, expire_at: new Date(endMs) });

describe('a window', () => {
  it('starts at the multiple of its length that is not after the time', () => {
    const start = Date.UTC(2026, 0, 15, 10, 0);
    expect(windowStartMs(start, 60)).toBe(start);
    expect(windowStartMs(start + 59_999, 60)).toBe(start);
    expect(windowStartMs(start + 60_000, 60)).toBe(start + 60_000);
  });
});

describe('leasing permits', () => {
  it.each([
    [1, 1],
    [5, 1],
    [10, 1],
    [19, 1],
    [600, 60],
    [6_000, 600],
  ])('a limit of %i is handed out in blocks of %i', (limit, block) => {
    expect(blockOf(limit)).toBe(block);
  });

  it('grants the first block of a window that nobody has touched', () => {
    expect(lease(null, 600, { endMs })).toMatchObject({ granted: 60, next: { used: 60 } });
  });

  it('grants what is left when that is less than a block', () => {
    expect(lease(used(595), 600, { endMs })).toMatchObject({ granted: 5, next: { used: 600 } });
  });

  it('grants nothing from a window that is used up, nor when the limit was lowered below its use', () => {
    expect(lease(used(600), 600, { endMs })).toMatchObject({ granted: 0, next: { used: 600 } });
    expect(lease(used(600), 300, { endMs })).toMatchObject({ granted: 0, next: { used: 600 } });
  });

  it('keeps the counter until a day after its window', () => {
    const { next } = lease(null, 600, { endMs });
    expect(next.expire_at).toEqual(new Date(endMs + 86_400_000));
    expect(Schema.parse(next)).toEqual(next);
  });

  it('hands out the limit exactly, in any number of leases', () => {
    fc.assert(
      fc.property(fc.integer({ min: 1, max: 500 }), (limit) => {
        let current: RateLimit | null = null;
        let handedOut = 0;
        for (let i = 0; i < limit + 5; i++) {
          const { granted, next } = lease(current, limit, { endMs });
          handedOut += granted;
          current = next;
        }
        expect(handedOut).toBe(limit);
      }),
    );
  });
});
