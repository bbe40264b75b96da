import fc from 'fast-check';
import { describe, expect, it } from 'vitest';

import type { ExecutionKey } from '../../../shared/execution/key.ts';
import type { QuotaPolicy } from '../../../shared/execution/policy.ts';
import { windowsAt } from '../../../shared/execution/quota-window.ts';
import {
  type Lease,
  type LeaseRequest,
  QuotaState,
  isSparse,
  lease,
  leave,
  quotaRef,
  renewalPeriodMs,
} from '../../../shared/execution/quota.ts';
import { addsUp, key } from './quota-simulation.ts';

const SECOND_MS = 1_000;
const MINUTE_MS = 60 * SECOND_MS;
const HOUR_MS = 60 * MINUTE_MS;
const t0 = Date.UTC(2026, 2, 1, 12);

const limits = (given: Partial<QuotaPolicy>): QuotaPolicy => ({
  time_zone: 'UTC',
  outage: 'refuse',
  outage_allowance: 0,
  ...given,
});
const perMinute = (minute: number): QuotaPolicy => limits({ minute });

const requestOf = (
  policy: QuotaPolicy,
  atMs: number,
  holder: Partial<LeaseRequest['holder']> = {},
): LeaseRequest => ({
  key,
  policy,
  documentStartMs: windowsAt(policy, atMs)[0].startMs,
  holder: {
    id: 'a',
    seq: 1,
    spent: 0,
    sealed: false,
    want: 1,
    waiting: 0,
    periodMs: 5_000,
    peers: 1,
    ...holder,
  },
});

/** A request that is decided. */
function ask(
  row: QuotaState | null,
  policy: QuotaPolicy,
  atMs: number,
  holder: Partial<LeaseRequest['holder']> = {},
): Lease {
  const answer = lease(row, requestOf(policy, atMs, holder), atMs);
  if (answer.kind !== 'lease') throw new Error(answer.kind);
  expect(QuotaState.parse(answer.row)).toEqual(answer.row);
  return answer;
}

describe('the first lease of a window', () => {
  it('makes its row, with the columns of the longest window and every window inside', () => {
    const policy = limits({ minute: 60, day: 10_000 });
    const { row, changed, granted } = ask(null, policy, t0 + 61_500, { want: 10, waiting: 2 });
    expect({ changed, granted }).toEqual({ changed: true, granted: 10 });
    const day = {
      window_start: '2026-03-01T00:00:00.000Z',
      window_end: '2026-03-02T00:00:00.000Z',
      limit_count: 10_000,
      used_count: 2,
      remaining_count: 9_998,
      last_exhausted_at: null,
    };
    const minute = {
      window_start: '2026-03-01T12:01:00.000Z',
      window_end: '2026-03-01T12:02:00.000Z',
      limit_count: 60,
      used_count: 2,
      remaining_count: 58,
      last_exhausted_at: null,
    };
    expect(row).toEqual({
      id: quotaRef(key, windowsAt(policy, t0)[0]).path.split('/')[1],
      tenant_id: 'acme',
      provider_name: 'synthetic',
      capability: 'synthetic_call',
      ...day,
      updated_at: '2026-03-01T12:01:01.500Z',
      windows: [
        { window: 'day', ...day },
        { window: 'minute', ...minute },
      ],
      holders: {
        a: {
          seq: 1,
          outstanding: 8,
          granted: 10,
          settled: 2,
          usable_until: '2026-03-01T12:02:00.000Z',
          expires_at: '2026-03-01T12:01:16.500Z',
        },
      },
      holders_seen: 1,
      holders_before: 1,
      expire_at: new Date('2026-04-11T00:00:00.000Z'),
    });
  });

  it('ends with the shortest window, or after three of the periods it was asked for', () => {
    const policy = limits({ minute: 60, day: 10_000 });
    const early = ask(null, policy, t0, { periodMs: 1_000 });
    expect(early.windowEndMs).toBe(t0 + MINUTE_MS);
    expect(early.expiresAtMs).toBe(t0 + 15_000);
    expect(ask(null, policy, t0, { periodMs: Infinity, peers: 30 }).expiresAtMs).toBe(
      t0 + 3 * renewalPeriodMs(30),
    );
  });
});

describe('how much is granted', () => {
  it('is what is wanted, up to the holder’s share of half of what is free', () => {
    const policy = perMinute(100);
    const first = ask(null, policy, t0, { want: 30 });
    expect(first.granted).toBe(30);
    const second = ask(first.row, policy, t0, { id: 'b', want: 30 });
    expect(second).toMatchObject({ granted: Math.floor(70 / 4), holders: 2 });
    expect(ask(second.row, policy, t0, { id: 'c', want: 30 })).toMatchObject({
      granted: Math.floor(53 / 6),
      holders: 3,
    });
  });

  it('is one at least while any is free, in the window that has the least', () => {
    const policy = limits({ minute: 50, hour: 3 });
    const first = ask(null, policy, t0, { want: 20 });
    expect(first.granted).toBe(1);
    const second = ask(first.row, policy, t0, { id: 'b', want: 20 });
    const third = ask(second.row, policy, t0, { id: 'c', want: 20 });
    expect([second.granted, third.granted]).toEqual([1, 1]);
    expect(ask(third.row, policy, t0, { id: 'd', want: 20 }).granted).toBe(0);
  });

  it('is sized by the holders of the window before, just after a rollover', () => {
    const policy = limits({ minute: 100, hour: 100_000 });
    let row: QuotaState | null = null;
    for (const id of 'abcdefghij') row = ask(row, policy, t0, { id, waiting: 1 }).row;
    // None of them lives any more, as far as the document knows.
    const next = ask(row, policy, t0 + MINUTE_MS, { id: 'new', want: 100, periodMs: 20_000 });
    expect(next).toMatchObject({ granted: 5, holders: 10, peers: 1 });
    const late = ask(next.row, policy, t0 + MINUTE_MS + 21_000, { id: 'late', want: 100 });
    expect(late).toMatchObject({ holders: 2 });
    // A new document has only the holder's word for it.
    expect(ask(null, policy, t0 + HOUR_MS, { want: 100, peers: 25 }).granted).toBe(2);
  });

  it('is asked for about every two seconds by all holders together', () => {
    expect([1, 2, 3, 10, 40].map(renewalPeriodMs)).toEqual([5_000, 5_000, 6_000, 20_000, 80_000]);
    expect([0.1, 0.5, 0.51].map(isSparse)).toEqual([true, true, false]);
  });
});

describe('case 36: a quota that has too little, or nothing', () => {
  it('case 36: with a limit of 0 nothing is ever granted', () => {
    const refused = ask(null, perMinute(0), t0 + 5_000, { want: 5, waiting: 5 });
    expect(refused).toMatchObject({
      granted: 0,
      outstanding: 0,
      refused: { untilMs: t0 + MINUTE_MS, mayEase: false },
    });
    expect(refused.row).toMatchObject({ limit_count: 0, used_count: 0, remaining_count: 0 });
    expect(ask(refused.row, perMinute(0), t0 + 6_000, { seq: 2 })).toMatchObject({
      granted: 0,
      changed: false,
    });
  });

  it('case 36: a request for more than remains gets what remains, never more', () => {
    const policy = perMinute(3);
    const first = ask(null, policy, t0, { want: 2, waiting: 2 });
    expect(first.granted).toBe(1);
    const second = ask(first.row, policy, t0, { seq: 2, want: 50, waiting: 50 });
    const third = ask(second.row, policy, t0, { seq: 3, want: 50, waiting: 50 });
    expect([second.granted, third.granted]).toEqual([1, 1]);
    expect(third.row).toMatchObject({ used_count: 3, remaining_count: 0 });
  });

  it('case 36: a refused request consumes nothing and writes nothing but when that was', () => {
    const policy = perMinute(1);
    const { row } = ask(null, policy, t0, { waiting: 1 });
    const refused = ask(row, policy, t0 + 1_000, { id: 'b', want: 7, waiting: 7 });
    expect(refused).toMatchObject({ granted: 0, changed: true });
    expect(refused.row).toEqual({
      ...row,
      last_exhausted_at: '2026-03-01T12:00:01.000Z',
      updated_at: '2026-03-01T12:00:01.000Z',
      windows: [{ ...row.windows[0], last_exhausted_at: '2026-03-01T12:00:01.000Z' }],
      holders_seen: 2,
    });
    const again = ask(refused.row, policy, t0 + 2_000, { id: 'c' });
    expect(again.changed).toBe(false);
    expect(again.row).toBe(refused.row);
  });
});

describe('case 38: a holder that dies', () => {
  it('case 38: is charged for all of its lease when that has expired, and no sooner', () => {
    const policy = limits({ minute: 40, hour: 1_000 });
    const { row, expiresAtMs } = ask(null, policy, t0, { id: 'dying', want: 20 });
    const before = ask(row, policy, expiresAtMs, { id: 'b', want: 20 });
    expect(before).toMatchObject({ granted: 5, holders: 2 });
    expect(before.row.used_count).toBe(0);
    const after = ask(before.row, policy, expiresAtMs + 2_001, { id: 'b', seq: 2, want: 20 });
    expect(after.row.windows.map(({ used_count }) => used_count)).toEqual([20, 20]);
    expect(Object.keys(after.row.holders)).toEqual(['b']);
    expect(after).toMatchObject({ holders: 1, granted: 7 });
  });

  it('case 38: the next window has all of its limit again', () => {
    const policy = limits({ minute: 40, hour: 1_000 });
    const { row } = ask(null, policy, t0 + 50_000, { id: 'dying', want: 20 });
    const next = ask(row, policy, t0 + MINUTE_MS, { id: 'b', want: 100 });
    expect(next.granted).toBe(Math.floor(40 / 4));
    expect(next.row.windows).toMatchObject([{ used_count: 0 }, { limit_count: 40 }]);
    // In the hour it still counts, and is charged there alone.
    const later = ask(next.row, policy, t0 + 70_000, { id: 'b', seq: 2, spent: 10 });
    expect(later.row.windows.map(({ used_count }) => used_count)).toEqual([30, 10]);
  });

  it('case 38: its units may come back only while it lives', () => {
    const policy = perMinute(4);
    let row: QuotaState | null = null;
    for (const seq of [1, 2]) row = ask(row, policy, t0, { id: 'dying', seq, want: 2 }).row;
    for (const seq of [1, 2]) row = ask(row, policy, t0, { id: 'b', seq, waiting: 1 }).row;
    const refused = ask(row, policy, t0, { id: 'b', seq: 3 });
    expect(refused.refused).toEqual({ untilMs: t0 + MINUTE_MS, mayEase: true });
    expect(ask(row, policy, t0 + 17_001, { id: 'b', seq: 3 }).refused).toEqual({
      untilMs: t0 + MINUTE_MS,
      mayEase: false,
    });
  });
});

describe('case 39: an acknowledgement that was lost', () => {
  it('case 39: the same request again is answered as before, and granted once', () => {
    const policy = perMinute(100);
    const first = ask(null, policy, t0, { want: 30, waiting: 3 });
    const again = ask(first.row, policy, t0 + 1_000, { want: 30, waiting: 3 });
    expect(again).toMatchObject({ changed: false, granted: 30, outstanding: 27 });
    expect(again.row).toBe(first.row);
    expect(again.settled).toBe(first.settled);
    expect([again.windowEndMs, again.expiresAtMs]).toEqual([first.windowEndMs, first.expiresAtMs]);
  });

  it('case 39: what was spent since the lost answer is reported by the next', () => {
    const policy = perMinute(100);
    const first = ask(null, policy, t0, { want: 30 });
    const lost = ask(first.row, policy, t0, { seq: 2, spent: 10, want: 5 });
    // The holder asks again, and has spent three more meanwhile.
    const again = ask(lost.row, policy, t0, { seq: 2, spent: 13, want: 5 });
    expect(again).toMatchObject({ settled: 10, outstanding: 25, changed: false });
    const next = ask(again.row, policy, t0, { seq: 3, spent: 13 - again.settled });
    expect(next.row.used_count).toBe(13);
    expect(next.outstanding).toBe(25 - 3 + 1);
  });

  it('case 39: one that was not applied reports all', () => {
    const policy = perMinute(100);
    const first = ask(null, policy, t0, { want: 30 });
    expect(ask(first.row, policy, t0, { seq: 2, spent: 13 })).toMatchObject({
      settled: 13,
      row: { used_count: 13 },
    });
  });

  it('case 39: an older request than the last is not decided', () => {
    const policy = perMinute(100);
    const first = ask(null, policy, t0, { want: 30 });
    const second = ask(first.row, policy, t0, { seq: 2, spent: 3 });
    expect(lease(second.row, requestOf(policy, t0, { seq: 1 }), t0)).toEqual({ kind: 'untimely' });
  });
});

describe('a holder that leaves', () => {
  const policy = limits({ minute: 50, hour: 1_000 });
  const first = ask(null, policy, t0, { want: 20 });

  it('is charged for what it spent, gives the rest back, and is forgotten', () => {
    const { row, changed } = leave(first.row, { id: 'a', seq: 2, spent: 4 }, t0 + 1_000);
    expect(changed).toBe(true);
    expect(row).toMatchObject({
      used_count: 4,
      remaining_count: 996,
      windows: [
        { used_count: 4, remaining_count: 996 },
        { used_count: 4, remaining_count: 46 },
      ],
      holders: {},
      updated_at: '2026-03-01T12:00:01.000Z',
    });
    expect(QuotaState.parse(row)).toEqual(row);
  });

  it('case 40: with a request unanswered is charged once, whether that was applied or not', () => {
    const applied = ask(first.row, policy, t0, { seq: 2, spent: 4, want: 10 });
    expect(leave(applied.row, { id: 'a', seq: 2, spent: 6 }, t0).row?.used_count).toBe(6);
    expect(leave(first.row, { id: 'a', seq: 2, spent: 6 }, t0).row?.used_count).toBe(6);
  });

  it('case 41: leaves once', () => {
    const { row } = leave(first.row, { id: 'a', seq: 2, spent: 4 }, t0);
    const again = leave(row, { id: 'a', seq: 2, spent: 4 }, t0);
    expect(again).toEqual({ row, changed: false });
    expect(leave(null, { id: 'a', seq: 1, spent: 0 }, t0)).toEqual({ row: null, changed: false });
  });

  it('case 41: has nothing to give back when it has expired', () => {
    const expired = ask(first.row, policy, first.expiresAtMs + 2_001, { id: 'b' });
    expect(expired.row.used_count).toBe(20);
    const late = leave(expired.row, { id: 'a', seq: 2, spent: 4 }, first.expiresAtMs + 3_000);
    expect(late).toEqual({ row: expired.row, changed: false });
  });

  it('after its window is charged in that one and the longer', () => {
    const rolled = ask(first.row, policy, t0 + MINUTE_MS - 46_000 + MINUTE_MS, { id: 'b' });
    expect(rolled.row.windows.map(({ used_count }) => used_count)).toEqual([20, 0]);
    const fresh = ask(null, policy, t0 + 55_000, { want: 20 });
    const next = ask(fresh.row, policy, t0 + MINUTE_MS, { id: 'b' });
    const { row } = leave(next.row, { id: 'a', seq: 2, spent: 4 }, t0 + MINUTE_MS + 1_000);
    expect(row?.windows.map(({ used_count }) => used_count)).toEqual([4, 0]);
  });
});

describe('case 42: the rollover of a window', () => {
  const policy = limits({ minute: 50, hour: 1_000 });
  const first = ask(null, policy, t0 + 50_000, { want: 20 });
  const nextMs = t0 + MINUTE_MS;

  it('case 42: what was spent before it is charged to the longer windows only', () => {
    const next = ask(first.row, policy, nextMs, { seq: 2, spent: 8, sealed: true, want: 5 });
    expect(next.row.windows).toMatchObject([
      { window: 'hour', used_count: 8 },
      { window: 'minute', used_count: 0, window_start: '2026-03-01T12:01:00.000Z' },
    ]);
    // Its other units are gone with their window.
    expect(next).toMatchObject({ granted: 5, outstanding: 5, windowEndMs: nextMs + MINUTE_MS });
  });

  it('case 42: a lease that may still be taken from is not settled across it', () => {
    const unsealed = requestOf(policy, nextMs, { seq: 2, spent: 8 });
    expect(lease(first.row, unsealed, nextMs)).toEqual({ kind: 'untimely' });
  });

  it('case 42: a request for another document’s time is not decided', () => {
    const request = requestOf(policy, t0);
    expect(lease(null, request, t0 + HOUR_MS - 1)).toMatchObject({ kind: 'lease' });
    expect(lease(null, request, t0 + HOUR_MS)).toEqual({ kind: 'untimely' });
    expect(lease(null, request, t0 - 1)).toEqual({ kind: 'untimely' });
  });

  it('case 42: leases of the window before count in the longer until they are settled', () => {
    const scarce = limits({ minute: 50, hour: 30 });
    const held = ask(null, scarce, t0 + 50_000, { want: 15 });
    const next = ask(held.row, scarce, nextMs, { id: 'b', want: 50 });
    expect(next.granted).toBe(3);
    const settled = ask(next.row, scarce, nextMs, { seq: 2, spent: 0, sealed: true, want: 50 });
    expect(settled.row.windows.map(({ used_count }) => used_count)).toEqual([0, 0]);
    expect(settled.granted).toBe(6);
  });

  it('case 42: a store whose clock goes back stays in the window it was in', () => {
    const next = ask(first.row, policy, nextMs, { id: 'b', waiting: 1 });
    const back = ask(next.row, policy, nextMs - 5_000, { id: 'b', seq: 2, waiting: 1 });
    expect(back.row.windows).toMatchObject([
      { used_count: 2 },
      { used_count: 2, window_start: '2026-03-01T12:01:00.000Z' },
    ]);
  });
});

describe('case 43: a limit that is changed in its window', () => {
  const { row } = ask(null, perMinute(100), t0, { want: 40, waiting: 30 });

  it('case 43: raised, it holds from the next request on', () => {
    const raised = ask(row, perMinute(1_000), t0, { id: 'b', want: 500 });
    expect(raised.granted).toBe(Math.floor(960 / 4));
    expect(raised.row).toMatchObject({ limit_count: 1_000, used_count: 30, remaining_count: 970 });
  });

  it('case 43: lowered below what is used and leased, nothing more is granted', () => {
    const lowered = ask(row, perMinute(40), t0, { id: 'b' });
    expect(lowered).toMatchObject({ granted: 0, refused: { mayEase: true } });
    expect(lowered.row).toMatchObject({ limit_count: 40, used_count: 30, remaining_count: 10 });
    expect(ask(row, perMinute(41), t0, { id: 'b' }).granted).toBe(1);
  });

  it('case 43: lowered below what is used, nothing remains, and never less', () => {
    const lowered = ask(row, perMinute(10), t0, { seq: 2, spent: 5 });
    expect(lowered.granted).toBe(0);
    expect(lowered.row).toMatchObject({ limit_count: 10, used_count: 35, remaining_count: 0 });
  });

  it('case 43: a shorter window that is added counts what is leased by then', () => {
    const daily = limits({ day: 1_000 });
    const held = ask(null, daily, t0, { want: 100 });
    const added = limits({ day: 1_000, hour: 120 });
    const next = ask(held.row, added, t0, { id: 'b', want: 100 });
    expect(next.granted).toBe(Math.floor(20 / 4));
    const reported = ask(next.row, added, t0, { seq: 2, spent: 90 });
    expect(reported.row.windows.map(({ used_count }) => used_count)).toEqual([90, 90]);
  });

  it('case 43: two versions of a policy side by side keep each other’s counts', () => {
    const old = limits({ day: 1_000 });
    const young = limits({ day: 1_000, hour: 10 });
    let current = ask(null, young, t0, { id: 'b', waiting: 1 }).row;
    for (const seq of [1, 2, 3]) current = ask(current, old, t0, { seq, waiting: 1 }).row;
    expect(current.windows).toMatchObject([
      { window: 'day', used_count: 4 },
      { window: 'hour', used_count: 4, remaining_count: 6 },
    ]);
    expect(ask(current, old, t0 + HOUR_MS, { seq: 4, waiting: 1 }).row.windows).toHaveLength(1);
  });

  it('case 43: hours that begin elsewhere, in another zone, count what they overlap', () => {
    const hourly = ask(null, limits({ month: 1_000, hour: 10 }), t0, { want: 1, waiting: 1 });
    const moved = limits({ month: 1_000, hour: 10, time_zone: 'Asia/Kolkata' });
    const request = { ...requestOf(moved, t0), documentStartMs: windowsAt(moved, t0)[0].startMs };
    const answer = lease(hourly.row, request, t0);
    expect(answer).toMatchObject({
      row: { windows: [{ window: 'month' }, { window: 'hour', used_count: 1 }] },
    });
  });
});

describe('case 44: a unit that was not used', () => {
  it('case 44: comes back to the quota even after it was reported', () => {
    const policy = perMinute(100);
    const first = ask(null, policy, t0, { want: 10, waiting: 10 });
    expect(first.row.used_count).toBe(10);
    const back = ask(first.row, policy, t0, { seq: 2, spent: -3, want: 1 });
    expect(back.row).toMatchObject({ used_count: 7, remaining_count: 93 });
    expect(back.outstanding).toBe(4);
    const left = leave(back.row, { id: 'a', seq: 3, spent: -1 }, t0);
    expect(left.row).toMatchObject({ used_count: 6, remaining_count: 94, holders: {} });
  });
});

describe('case 47: whose quota it is', () => {
  const [day] = windowsAt(limits({ day: 1 }), t0);
  const refOf = (changes: Partial<ExecutionKey>) => quotaRef({ ...key, ...changes }, day).path;

  it('case 47: no tenant, provider or capability has another’s document', () => {
    const keys: Partial<ExecutionKey>[] = [
      {},
      { tenantId: 'globex' },
      { providerName: 'other' },
      { capability: 'other' },
    ];
    expect(new Set(keys.map(refOf)).size).toBe(keys.length);
  });

  it('case 47: nor does a name with a delimiter in it', () => {
    const spellings: Partial<ExecutionKey>[] = ['|', '/', '\n', ',', '","', '\u0000'].flatMap(
      (delimiter) => [
        { tenantId: `a${delimiter}b`, providerName: 'c' },
        { tenantId: 'a', providerName: `b${delimiter}c` },
      ],
    );
    const paths = spellings.map(refOf);
    expect(new Set(paths).size).toBe(spellings.length);
    for (const path of paths) expect(path).toMatch(/^provider_quota_states\/qta_[0-9a-f]{32}$/);
  });

  it('has a document for each longest window', () => {
    const tomorrow = windowsAt(limits({ day: 1 }), t0 + 24 * HOUR_MS)[0];
    const month = windowsAt(limits({ month: 1 }), t0)[0];
    const paths = [day, tomorrow, month].map((span) => quotaRef(key, span).path);
    expect(new Set(paths).size).toBe(3);
  });
});

describe('case 48: what the row says', () => {
  it('case 48: when it was exhausted, once in each window', () => {
    const policy = limits({ minute: 1, hour: 100 });
    let { row } = ask(null, policy, t0, { waiting: 1 });
    const times: (string | null)[] = [];
    let writes = 0;
    for (const atMs of [t0 + 1_000, t0 + 2_000, t0 + 3_000]) {
      const refused = ask(row, policy, atMs, { seq: 2 });
      row = refused.row;
      writes += Number(refused.changed);
      times.push(row.windows[1]?.last_exhausted_at ?? null);
    }
    expect(writes).toBe(1);
    expect(new Set(times)).toEqual(new Set(['2026-03-01T12:00:01.000Z']));
    expect(row.last_exhausted_at).toBeNull();
    const next = ask(row, policy, t0 + MINUTE_MS, { seq: 2, sealed: true });
    expect(next.row.windows[1]?.last_exhausted_at).toBeNull();
  });

  it('case 48: that used and remaining are the limit', () => {
    const policy = limits({ minute: 7, hour: 20 });
    let { row } = ask(null, policy, t0, { id: 'holder_0', want: 3, waiting: 1 });
    for (let i = 1; i < 40; i++) {
      const id = `holder_${i % 3}`;
      const atMs = t0 + i * 4_000;
      const own = row.holders[id];
      const sealed = own !== undefined && Date.parse(own.usable_until) <= atMs;
      const seq = (own?.seq ?? 0) + 1;
      ({ row } = ask(row, policy, atMs, { id, seq, sealed, want: 3, waiting: 1 }));
      expect(addsUp(row)).toBe(true);
      expect(row.used_count + row.remaining_count).toBe(row.limit_count);
    }
  });
});

/** One holder as the ledger's rules ask it to be, with clocks that agree. */
interface Model {
  id: string;
  seq: number;
  spent: number;
  left: number;
  untilMs: number;
  /** Of units taken under the current lease: the windows they were counted in. */
  taken: string[][];
}

const HOLDERS = 4;
const who = fc.nat({ max: HOLDERS - 1 });
const step = fc.oneof(
  {
    weight: 6,
    arbitrary: fc.record({
      do: fc.constant('ask' as const),
      who,
      want: fc.integer({ min: 1, max: 30 }),
      waiting: fc.nat({ max: 3 }),
      /** Whether the holder hears of it, and whether it was applied. */
      fate: fc.constantFrom<'heard' | 'lost' | 'failed'>(
        'heard',
        'heard',
        'heard',
        'lost',
        'failed',
      ),
    }),
  },
  {
    weight: 6,
    arbitrary: fc.record({ do: fc.constant('use' as const), who, units: fc.nat({ max: 20 }) }),
  },
  { weight: 2, arbitrary: fc.record({ do: fc.constant('giveBack' as const), who }) },
  {
    weight: 1,
    arbitrary: fc.record({ do: fc.constant('leave' as const), who, isLost: fc.boolean() }),
  },
  { weight: 1, arbitrary: fc.record({ do: fc.constant('crash' as const), who }) },
  {
    weight: 4,
    arbitrary: fc.record({
      do: fc.constant('pass' as const),
      ms: fc.oneof(fc.nat({ max: 5_000 }), fc.nat({ max: 70_000 })),
    }),
  },
);
type Step = typeof step extends fc.Arbitrary<infer T> ? T : never;

/** The units used in each window, whatever the steps do; the document is checked after each. */
function play(policy: QuotaPolicy, steps: readonly Step[]): Map<string, number> {
  let nowMs = t0;
  let ids = 0;
  const rows = new Map<number, QuotaState>();
  const used = new Map<string, number>();
  const start = (): Model => ({
    id: `holder_${ids++}`,
    seq: 1,
    spent: 0,
    left: 0,
    untilMs: 0,
    taken: [],
  });
  const models = Array.from({ length: HOLDERS }, start);
  const documentMs = () => windowsAt(policy, nowMs)[0].startMs;
  const keep = (row: QuotaState | null) => {
    if (!row) return;
    expect(addsUp(row)).toBe(true);
    rows.set(Date.parse(row.window_start), row);
  };
  const count = (names: readonly string[], by: 1 | -1) => {
    for (const name of names) used.set(name, (used.get(name) ?? 0) + by);
  };
  const take = (model: Model) => {
    if (model.left === 0 || nowMs >= model.untilMs) return;
    const names = windowsAt(policy, nowMs).map(({ window, startMs }) => `${window} ${startMs}`);
    model.left--;
    model.spent++;
    model.taken.push(names);
    count(names, 1);
  };
  const seal = (model: Model) => {
    if (nowMs < model.untilMs) return false;
    model.left = 0;
    model.taken = [];
    return true;
  };

  const request = (model: Model, { want, waiting, fate }: Step & { do: 'ask' }) => {
    const sealed = seal(model);
    const { id, seq, spent } = model;
    const asked = requestOf(policy, nowMs, { id, seq, spent, sealed, want, waiting });
    const answer = lease(rows.get(documentMs()) ?? null, asked, nowMs);
    if (answer.kind !== 'lease') throw new Error('the clocks agree');
    if (fate !== 'failed' && answer.changed) keep(answer.row);
    if (fate !== 'heard') return;
    model.seq++;
    model.spent -= answer.settled;
    model.left = answer.outstanding - model.spent;
    model.untilMs = Math.min(answer.windowEndMs, answer.expiresAtMs);
    for (let i = 0; i < waiting; i++) take(model);
  };

  for (const each of steps) {
    if (each.do === 'pass') {
      nowMs += each.ms;
      continue;
    }
    const model = models[each.who] ?? start();
    if (each.do === 'ask') request(model, each);
    else if (each.do === 'use') for (let i = 0; i < each.units; i++) take(model);
    else if (each.do === 'giveBack') {
      const names = model.taken.pop();
      if (!names) continue;
      count(names, -1);
      model.left++;
      model.spent--;
    } else {
      models[each.who] = start();
      if (each.do === 'crash') continue;
      const { row } = leave(rows.get(documentMs()) ?? null, model, nowMs);
      if (!each.isLost) keep(row);
    }
  }
  return used;
}

describe('case 37: any number of holders, in any order', () => {
  it('case 37: never use more than a limit, whatever is lost and whoever dies', () => {
    const policies = fc.record({
      minute: fc.integer({ min: 0, max: 60 }),
      hour: fc.integer({ min: 0, max: 120 }),
      day: fc.integer({ min: 0, max: 200 }),
    });
    fc.assert(
      fc.property(policies, fc.array(step, { maxLength: 120 }), (given, steps) => {
        for (const [name, units] of play(limits(given), steps)) {
          const limit = given[name.split(' ')[0] as keyof typeof given];
          expect(units).toBeLessThanOrEqual(limit);
        }
      }),
      { numRuns: 500 },
    );
  });

  it('case 37: that want more than there is use exactly the limit', () => {
    fc.assert(
      fc.property(
        fc.integer({ min: 1, max: 60 }),
        fc.array(who, { minLength: 200, maxLength: 200 }),
        (minute, order) => {
          const steps = order.map((each): Step => {
            const [want, waiting] = [1, 1];
            return { do: 'ask', who: each, want, waiting, fate: 'heard' };
          });
          expect([...play(perMinute(minute), steps).values()]).toEqual([minute]);
        },
      ),
    );
  });
});
