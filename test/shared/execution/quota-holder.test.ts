import fc from 'fast-check';
import { describe, expect, it } from 'vitest';

import { seeded } from '../../../local/kernel/seeded.ts';
import type { QuotaPolicy } from '../../../shared/execution/policy.ts';
import type { ExecutionStore } from '../../../shared/execution/ports.ts';
import { type QuotaAnswer, QuotaHolder } from '../../../shared/execution/quota-holder.ts';
import type { QuotaState } from '../../../shared/execution/quota.ts';
import { key } from './quota-simulation.ts';

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

/** `lost`: applied, and the client tries again; `unheard`: applied, and it does not; `failed`: neither. */
type Fault = 'lost' | 'unheard' | 'failed';

/** A store in memory whose clock the test moves, and holders whose clocks differ from it by as much as given. */
class Ground {
  nowMs = t0;
  reads = 0;
  writes = 0;
  /** Strikes the next commits, one each. */
  faults: Fault[] = [];
  /** Passes while each transaction runs, half of it before the read. */
  latencyMs = 0;
  /** What transactions wait for before they read. */
  gate: Promise<void> = Promise.resolve();
  /** While true, nothing reaches the store. */
  isDown = false;
  readonly outages: unknown[] = [];
  readonly docs = new Map<string, QuotaState>();
  #ids = 0;

  holder(policy: QuotaPolicy, aheadMs = 0, random: () => number = () => 0.5): QuotaHolder {
    return new QuotaHolder(key, policy, {
      store: { revise: this.revise },
      clock: { nowMs: () => this.nowMs + aheadMs },
      random,
      newHolderId: () => `holder_${++this.#ids}`,
      onOutage: (error) => this.outages.push(error),
    });
  }

  /** The newest document. */
  get row(): QuotaState {
    const row = [...this.docs.values()].at(-1);
    if (!row) throw new Error('nothing was written');
    return row;
  }

  readonly revise: ExecutionStore['revise'] = async (refs, revise) => {
    this.nowMs += this.latencyMs / 2;
    await this.gate;
    if (this.isDown) throw new Error('down');
    for (;;) {
      const docs = Object.entries(refs).map(([name, { path }]) => [
        name,
        this.docs.get(path) ?? null,
      ]);
      this.reads++;
      const { writes, reply } = revise(Object.fromEntries(docs) as never, new Date(this.nowMs));
      this.nowMs += this.latencyMs / 2;
      const fault = writes.length > 0 ? this.faults.shift() : undefined;
      if (fault === 'failed') throw new Error('failed');
      for (const write of writes) {
        if (write.kind !== 'set') throw new Error(write.kind);
        this.docs.set(write.ref.path, write.doc as QuotaState);
        this.writes++;
      }
      if (fault === 'unheard') throw new Error('unheard');
      if (fault !== 'lost') return reply;
    }
  };
}

const take = (ground: Ground, holder: QuotaHolder, aheadMs = 0): Promise<QuotaAnswer> =>
  holder.take(ground.nowMs + aheadMs);

/** One unit after the other, from memory where there are any; how many were granted. */
async function use(ground: Ground, holder: QuotaHolder, units: number, everyMs = 0) {
  const generations: number[] = [];
  for (let i = 0; i < units; i++) {
    const generation = holder.takeNow(ground.nowMs);
    if (generation > 0) generations.push(generation);
    else {
      const answer = await take(ground, holder);
      if (answer.granted) generations.push(answer.generation);
    }
    ground.nowMs += everyMs;
  }
  return generations;
}

/** Ten calls a second for four seconds: enough for blocks of some size. */
const warmUp = (ground: Ground, holder: QuotaHolder) => use(ground, holder, 40, 100);

/** What a warm holder that shares its quota with 40 others is granted, when it has nothing left. */
async function grantToOneOfMany(ground: Ground): Promise<number> {
  for (let i = 0; i < 40; i++) await take(ground, ground.holder(perMinute(1_000_000)));
  const holder = ground.holder(perMinute(1_000_000));
  await warmUp(ground, holder);
  drain(ground, holder);
  await take(ground, holder);
  return Object.values(ground.row.holders).at(-1)?.granted ?? 0;
}

/** Takes units until the next block is fetched, and waits for that. */
async function lowered(ground: Ground, holder: QuotaHolder, aheadMs = 0): Promise<void> {
  for (;;) {
    const prefetch = holder.prefetch(ground.nowMs + aheadMs);
    if (prefetch) return prefetch;
    expect(holder.takeNow(ground.nowMs + aheadMs)).toBeGreaterThan(0);
  }
}

/** To somebody who lives as long as the window. */
function leaseTheRest(ground: Ground): void {
  for (const [path, row] of ground.docs) {
    const held = Object.values(row.holders).reduce((sum, { outstanding }) => sum + outstanding, 0);
    const outstanding = row.remaining_count - held;
    const end = { usable_until: row.window_end, expires_at: row.window_end };
    const other = { seq: 1, outstanding, granted: outstanding, settled: 0, ...end };
    ground.docs.set(path, { ...row, holders: { ...row.holders, other } });
  }
}

/** All that is in memory. */
function drain(ground: Ground, holder: QuotaHolder): number[] {
  const generations: number[] = [];
  for (;;) {
    const generation = holder.takeNow(ground.nowMs);
    if (generation === 0) return generations;
    generations.push(generation);
  }
}

describe('units', () => {
  it('come from the store once, and then from memory', async () => {
    const ground = new Ground();
    const holder = ground.holder(perMinute(1_000));
    expect(holder.takeNow(ground.nowMs)).toBe(0);
    expect(await take(ground, holder)).toEqual({ granted: true, generation: 1 });
    await warmUp(ground, holder);
    const { reads } = ground;
    expect(reads).toBeLessThan(20);
    const fromMemory = drain(ground, holder);
    expect(fromMemory.length).toBeGreaterThan(1);
    expect(new Set(fromMemory)).toEqual(new Set([1]));
    expect(ground.reads).toBe(reads);
  });

  it('are leased one by one while few are asked for, so that none is stranded', async () => {
    const ground = new Ground();
    const holder = ground.holder(perMinute(1_000));
    expect(await use(ground, holder, 20, 3_000)).toHaveLength(20);
    expect(ground.reads).toBe(20);
    expect(Object.values(ground.row.holders).map(({ outstanding }) => outstanding)).toEqual([0]);
  });

  it('are leased for no longer than a holder has lived, from half a minute on', async () => {
    const ground = new Ground();
    // For 30 s; in the 82 s of 41 holders it would be 2,000.
    expect(await grantToOneOfMany(ground)).toBeLessThan(1_000);
  });

  it('are leased for not much longer than the window lasts', async () => {
    const ground = new Ground();
    ground.nowMs = t0 + MINUTE_MS - 9_000;
    expect(await grantToOneOfMany(ground)).toBeLessThan(200);
  });
});

describe('case 37: callers at the same time', () => {
  it('case 37: share one request and get a unit each', async () => {
    const ground = new Ground();
    const holder = ground.holder(perMinute(1_000));
    const answers = await Promise.all(Array.from({ length: 30 }, () => take(ground, holder)));
    expect(answers.every(({ granted }) => granted)).toBe(true);
    expect(ground.reads).toBe(1);
    expect(ground.row.used_count).toBe(30);
  });

  it('case 37: N callers of several instances with a limit of L: exactly L succeed', async () => {
    const cases = fc.record({
      limit: fc.integer({ min: 0, max: 40 }),
      callers: fc.array(fc.nat({ max: 3 }), { minLength: 1, maxLength: 60 }),
      faults: fc.array(fc.constant<Fault>('lost'), { maxLength: 5 }),
    });
    await fc.assert(
      fc.asyncProperty(cases, async ({ limit, callers, faults }) => {
        const ground = new Ground();
        ground.faults = faults;
        const holders = Array.from({ length: 4 }, () => ground.holder(perMinute(limit)));
        const answers = await Promise.all(
          callers.map((index) => take(ground, holders[index] ?? ground.holder(perMinute(limit)))),
        );
        const granted = answers.filter((answer) => answer.granted).length;
        expect(granted).toBe(Math.min(limit, callers.length));
      }),
    );
  });
});

describe('case 39: an acknowledgement that was lost', () => {
  it('case 39: does not grant twice', async () => {
    const ground = new Ground();
    const holder = ground.holder(perMinute(1_000));
    ground.faults = ['lost', 'lost'];
    expect(await use(ground, holder, 2)).toHaveLength(2);
    expect(ground.row.used_count).toBe(2);
  });

  it('case 39: of a request that failed for good is found again by the next', async () => {
    const ground = new Ground();
    const holder = ground.holder(perMinute(1_000));
    let taken = (await warmUp(ground, holder)).length + drain(ground, holder).length;
    ground.faults = ['unheard'];
    expect(await take(ground, holder)).toMatchObject({ granted: false, reason: 'unavailable' });
    const { writes } = ground;
    ground.nowMs += 2_000;
    taken += (await use(ground, holder, 1)).length + drain(ground, holder).length;
    expect(taken).toBeGreaterThan(60);
    expect(ground.writes).toBe(writes);
    await holder.close();
    expect(ground.row).toMatchObject({ used_count: taken, holders: {} });
  });
});

describe('case 40: closing while a request is under way', () => {
  it('case 40: waits for its answer, and charges what was spent once', async () => {
    const ground = new Ground();
    const holder = ground.holder(perMinute(1_000));
    const taken = (await warmUp(ground, holder)).length + drain(ground, holder).length;
    const gate = Promise.withResolvers<void>();
    ground.gate = gate.promise;
    const waiting = take(ground, holder);
    const closing = holder.close();
    const { writes } = ground;
    gate.resolve();
    expect(await waiting).toMatchObject({ granted: true });
    await closing;
    expect(ground.writes).toBe(writes + 2);
    expect(ground.row).toMatchObject({ used_count: taken + 1, holders: {} });
  });

  it.each(['unheard', 'failed'] as const)(
    'case 40: charges once when the request %s',
    async (fault) => {
      const ground = new Ground();
      const holder = ground.holder(perMinute(1_000));
      const taken = (await warmUp(ground, holder)).length + drain(ground, holder).length;
      ground.faults = [fault];
      await Promise.all([take(ground, holder), holder.close()]);
      expect(ground.row).toMatchObject({ used_count: taken, holders: {} });
    },
  );
});

describe('case 40: closing after a request without an answer', () => {
  it('case 40: takes back all that it was granted, and charges nothing', async () => {
    const ground = new Ground();
    const holder = ground.holder(perMinute(1_000));
    ground.faults = ['unheard'];
    const answers = await Promise.all([1, 2, 3].map(() => take(ground, holder)));
    expect(answers.some(({ granted }) => granted)).toBe(false);
    expect(ground.row.used_count).toBe(3);
    await holder.close();
    expect(ground.row).toMatchObject({ used_count: 0, holders: {} });
  });
});

describe('case 41: giving back and closing more than once', () => {
  it('case 41: returns no more than was taken', async () => {
    const ground = new Ground();
    const holder = ground.holder(perMinute(10));
    const [generation = 0] = await use(ground, holder, 1);
    for (let i = 0; i < 5; i++) holder.giveBack(generation);
    expect(drain(ground, holder)).toHaveLength(1);
    holder.giveBack(generation);
    await holder.close();
    expect(ground.row.used_count).toBe(0);
  });

  it('case 41: has no effect once the lease has ended, by time or by closing', async () => {
    const ground = new Ground();
    const holder = ground.holder(limits({ minute: 10, hour: 100 }));
    const [first = 0] = await use(ground, holder, 1);
    ground.nowMs += MINUTE_MS;
    const [second = 0] = await use(ground, holder, 1);
    expect(second).toBeGreaterThan(first);
    holder.giveBack(first);
    expect(drain(ground, holder)).toEqual([]);
    await holder.close();
    holder.giveBack(second);
    expect(holder.takeNow(ground.nowMs)).toBe(0);
    expect(ground.row.used_count).toBe(2);
  });

  it('case 41: closes once, and asks nothing when there is nothing to say', async () => {
    const ground = new Ground();
    const holder = ground.holder(perMinute(1_000));
    await holder.close();
    expect(ground.reads).toBe(0);
    await warmUp(ground, holder);
    await holder.close();
    const { reads, row } = ground;
    await holder.close();
    expect(ground.reads).toBe(reads);
    expect(row).toMatchObject({ used_count: 40, holders: {} });
  });

  it('a holder that was closed may be used again, as another', async () => {
    const ground = new Ground();
    const holder = ground.holder(perMinute(1_000));
    await warmUp(ground, holder);
    await holder.close();
    expect(await use(ground, holder, 1)).toHaveLength(1);
    expect(ground.row.used_count).toBe(41);
    expect(Object.keys(ground.row.holders)).toEqual(['holder_2']);
  });
});

describe('case 42: the end of a window', () => {
  const policy = limits({ minute: 200, hour: 1_000 });

  it('case 42: makes the units of the old window unusable, and asks for new ones', async () => {
    const ground = new Ground();
    ground.nowMs = t0 + MINUTE_MS - 4_500;
    const holder = ground.holder(policy);
    await warmUp(ground, holder);
    ground.nowMs = t0 + MINUTE_MS - 1;
    for (let i = 0; i < 3; i++) expect(holder.takeNow(ground.nowMs)).toBe(1);
    ground.nowMs = t0 + MINUTE_MS;
    expect(holder.takeNow(ground.nowMs)).toBe(0);
    expect(await take(ground, holder)).toEqual({ granted: true, generation: 2 });
    expect(ground.row.windows).toMatchObject([
      { window: 'hour', used_count: 44 },
      { window: 'minute', used_count: 1 },
    ]);
  });

  it('case 42: charges a call to the window in which it began', async () => {
    const ground = new Ground();
    const holder = ground.holder(perMinute(5));
    ground.nowMs = t0 + MINUTE_MS - 10;
    const [generation = 0] = await use(ground, holder, 5);
    ground.nowMs = t0 + MINUTE_MS + 10;
    expect(await use(ground, holder, 9)).toHaveLength(5);
    // A call of the old window that comes to nothing now is of no use in the new one.
    holder.giveBack(generation);
    expect(await use(ground, holder, 1)).toHaveLength(0);
    expect([...ground.docs.values()].map(({ used_count }) => used_count)).toEqual([5, 5]);
  });

  it('case 42: reports exactly what was taken while the request for it was under way', async () => {
    const ground = new Ground();
    ground.nowMs = t0 + MINUTE_MS - 4_100;
    const holder = ground.holder(policy);
    let taken = (await warmUp(ground, holder)).length + drain(ground, holder).length;
    taken += (await use(ground, holder, 1)).length;
    const gate = Promise.withResolvers<void>();
    ground.gate = gate.promise;
    let prefetch = holder.prefetch(ground.nowMs);
    for (; prefetch === null; prefetch = holder.prefetch(ground.nowMs))
      taken += Math.sign(holder.takeNow(ground.nowMs));
    const meanwhile = drain(ground, holder).length;
    expect(meanwhile).toBeGreaterThan(1);
    // Sent in the old window, read in the new.
    ground.nowMs = t0 + MINUTE_MS + 50;
    gate.resolve();
    await prefetch;
    expect(ground.row.windows).toMatchObject([
      { window: 'hour', used_count: taken + meanwhile },
      { window: 'minute', used_count: 0 },
    ]);
  });

  it.each([-5_000, 5_000, -HOUR_MS, HOUR_MS])(
    'case 42: is the store’s, for a clock that is %i ms ahead',
    async (aheadMs) => {
      const ground = new Ground();
      const holder = ground.holder(perMinute(20), aheadMs);
      ground.latencyMs = 40;
      const usedIn = new Map<number, number>();
      let refusals = 0;
      for (ground.nowMs = t0 + 30_000; ground.nowMs < t0 + 5 * MINUTE_MS; ground.nowMs += 500) {
        const answer = holder.refusalNow(ground.nowMs + aheadMs)
          ? null
          : holder.takeNow(ground.nowMs + aheadMs) || (await take(ground, holder, aheadMs));
        if (answer === null || (typeof answer === 'object' && !answer.granted)) refusals++;
        else {
          const minute = Math.floor((ground.nowMs - t0) / MINUTE_MS);
          usedIn.set(minute, (usedIn.get(minute) ?? 0) + 1);
        }
      }
      expect(Math.max(...usedIn.values())).toBe(20);
      expect(usedIn.get(2)).toBe(20);
      expect(refusals).toBeGreaterThan(100);
    },
  );

  it('case 42: finds the right document in two reads, and from then on in one', async () => {
    const ground = new Ground();
    const holder = ground.holder(perMinute(1_000), HOUR_MS);
    await take(ground, holder, HOUR_MS);
    expect(ground.reads).toBe(2);
    ground.nowMs += 2 * MINUTE_MS;
    await take(ground, holder, HOUR_MS);
    expect(ground.reads).toBe(3);
    expect(ground.docs.size).toBe(2);
  });

  it('case 42: is reckoned from when the lease was asked for, not from when it came', async () => {
    const ground = new Ground();
    ground.nowMs = t0 + MINUTE_MS - 6_500;
    const holder = ground.holder(perMinute(1_000));
    await warmUp(ground, holder);
    drain(ground, holder);
    ground.latencyMs = 800;
    expect(await take(ground, holder)).toMatchObject({ granted: true });
    // The store may have read at once, and its clock be 400 ms behind what we think.
    ground.nowMs = t0 + MINUTE_MS - 401;
    expect(holder.takeNow(ground.nowMs)).toBeGreaterThan(0);
    ground.nowMs = t0 + MINUTE_MS - 400;
    expect(holder.takeNow(ground.nowMs)).toBe(0);
  });

  it('case 42: is reckoned from the last try of a request, as only that one was read', async () => {
    const ground = new Ground();
    ground.nowMs = t0 + MINUTE_MS - 6_500;
    const holder = ground.holder(perMinute(1_000));
    await warmUp(ground, holder);
    drain(ground, holder);
    ground.latencyMs = 800;
    ground.faults = ['lost'];
    expect(await take(ground, holder)).toMatchObject({ granted: true });
    ground.nowMs = t0 + MINUTE_MS - 401;
    expect(holder.takeNow(ground.nowMs)).toBeGreaterThan(0);
    ground.nowMs = t0 + MINUTE_MS - 400;
    expect(holder.takeNow(ground.nowMs)).toBe(0);
  });

  it('case 42: brings the herd of refused holders back one after the other', async () => {
    const ground = new Ground();
    const random = seeded(7);
    const holders = Array.from({ length: 50 }, () => ground.holder(perMinute(50), 0, random));
    for (const holder of holders) await take(ground, holder);
    const answers = await Promise.all(holders.map((holder) => take(ground, holder)));
    const afterMs = answers.map((answer) =>
      answer.granted ? Number.NaN : answer.retryAtMs - (t0 + MINUTE_MS),
    );
    expect(Math.min(...afterMs)).toBeGreaterThanOrEqual(0);
    expect(Math.max(...afterMs)).toBeLessThanOrEqual(5_000);
    expect(Math.max(...afterMs)).toBeGreaterThan(1_000);
    expect(new Set(afterMs.map((ms) => Math.floor(ms / 100))).size).toBeGreaterThan(10);
  });

  it('case 42: tells a new document how many hold the quota', async () => {
    const ground = new Ground();
    const holders = Array.from({ length: 10 }, () => ground.holder(perMinute(100)));
    for (const holder of holders) await take(ground, holder);
    ground.nowMs += MINUTE_MS;
    for (const holder of holders.slice(-1)) await take(ground, holder);
    expect(ground.row).toMatchObject({ holders_seen: 1, holders_before: 10 });
  });

  it('a clock that has fallen behind a little costs a second read', async () => {
    const ground = new Ground();
    ground.nowMs = t0 + MINUTE_MS - 4_500;
    let aheadMs = 0;
    const holder = new QuotaHolder(key, limits({ minute: 200, hour: 1_000 }), {
      store: { revise: ground.revise },
      clock: { nowMs: () => ground.nowMs + aheadMs },
      random: () => 0.5,
      newHolderId: () => 'holder',
    });
    const taken = (await warmUp(ground, holder)).length;
    ground.nowMs = t0 + MINUTE_MS + 100;
    aheadMs = -800;
    const { reads } = ground;
    await lowered(ground, holder, aheadMs);
    expect(ground.reads).toBe(reads + 2);
    const [hour] = ground.row.windows;
    expect(hour?.used_count).toBeGreaterThanOrEqual(taken);
    expect(holder.takeNow(ground.nowMs + aheadMs)).toBe(2);
  });

  it('a lease that has expired is unusable in its window, too, and settled by the next', async () => {
    const ground = new Ground();
    const holder = ground.holder(limits({ hour: 1_000 }));
    await warmUp(ground, holder);
    ground.nowMs += 20 * MINUTE_MS;
    expect(holder.takeNow(ground.nowMs)).toBe(0);
    await use(ground, holder, 1);
    expect(ground.row.used_count).toBe(41);
  });

  it('a clock that is set back keeps no lease alive, nor a refusal', async () => {
    const ground = new Ground();
    let aheadMs = HOUR_MS;
    const holder = new QuotaHolder(key, perMinute(100), {
      store: { revise: ground.revise },
      clock: { nowMs: () => ground.nowMs + aheadMs },
      random: () => 0.5,
      newHolderId: () => 'holder',
    });
    for (let i = 0; i < 60; i++) {
      if (holder.takeNow(ground.nowMs + aheadMs) === 0) await take(ground, holder, aheadMs);
      ground.nowMs += 100;
    }
    aheadMs = 0;
    expect(holder.takeNow(ground.nowMs)).toBe(0);
    aheadMs = HOUR_MS;
    for (let i = 0; i < 200; i++) await take(ground, holder, aheadMs);
    expect(holder.refusalNow(ground.nowMs + aheadMs)).not.toBeNull();
    aheadMs = 0;
    expect(holder.refusalNow(ground.nowMs)).toBeNull();
    ground.nowMs += MINUTE_MS;
    expect(await take(ground, holder)).toMatchObject({ granted: true });
  });
});

describe('case 43: a limit that is changed', () => {
  it('case 43: holds for an instance that comes with it, and for the others through the row', async () => {
    const ground = new Ground();
    const old = ground.holder(perMinute(10));
    expect(await use(ground, old, 12)).toHaveLength(10);
    const young = ground.holder(perMinute(15));
    expect(await use(ground, young, 12)).toHaveLength(5);
    const lowered = ground.holder(perMinute(3));
    expect(await use(ground, lowered, 1)).toHaveLength(0);
    expect(ground.row).toMatchObject({ used_count: 15, remaining_count: 0 });
  });
});

describe('case 44: a unit that was not used', () => {
  it('case 44: is the next one to be used, at no cost', async () => {
    const ground = new Ground();
    const holder = ground.holder(perMinute(1));
    const [generation = 0] = await use(ground, holder, 1);
    const { reads } = ground;
    for (let i = 0; i < 10; i++) {
      holder.giveBack(generation);
      expect(holder.takeNow(ground.nowMs)).toBe(generation);
    }
    expect(ground.reads).toBe(reads);
    expect(ground.row.used_count).toBe(1);
  });

  it('case 44: is other instances’ again when its own reports', async () => {
    const ground = new Ground();
    const [one, other] = [ground.holder(perMinute(1)), ground.holder(perMinute(1))];
    const [generation = 0] = await use(ground, one, 1);
    expect(await use(ground, other, 1)).toHaveLength(0);
    one.giveBack(generation);
    await one.close();
    expect(ground.row.used_count).toBe(0);
    const third = ground.holder(perMinute(1));
    expect(await use(ground, third, 1)).toHaveLength(1);
  });
});

describe('case 45: an exhausted quota', () => {
  it('case 45: is refused from memory until the window ends, without a read', async () => {
    const ground = new Ground();
    const holder = ground.holder(perMinute(3), 0, () => 0);
    await use(ground, holder, 4);
    const { reads } = ground;
    const refusal = { granted: false, retryAtMs: t0 + MINUTE_MS, reason: 'exhausted' };
    for (const atMs of [t0 + 1, t0 + 30_000, t0 + MINUTE_MS - 1]) {
      ground.nowMs = atMs;
      expect(holder.refusalNow(atMs)).toEqual(refusal);
      expect(await take(ground, holder)).toEqual(refusal);
      expect(holder.takeNow(atMs)).toBe(0);
      expect(holder.prefetch(atMs)).toBeNull();
    }
    expect(ground.reads).toBe(reads);
    ground.nowMs = t0 + MINUTE_MS;
    expect(holder.refusalNow(ground.nowMs)).toBeNull();
    expect(await take(ground, holder)).toMatchObject({ granted: true });
  });

  it('case 45: is open again as soon as a unit comes back', async () => {
    const ground = new Ground();
    const holder = ground.holder(perMinute(3));
    const [generation = 0] = await use(ground, holder, 4);
    holder.giveBack(generation);
    expect(holder.refusalNow(ground.nowMs)).toBeNull();
    expect(await take(ground, holder)).toMatchObject({ granted: true });
    expect(holder.refusalNow(ground.nowMs)).not.toBeNull();
  });

  it('case 45: while others hold units is looked at after 1, 2, 4 … 15 s', async () => {
    const ground = new Ground();
    const holder = ground.holder(limits({ hour: 60 }));
    await use(ground, holder, 1);
    leaseTheRest(ground);
    const waits: number[] = [];
    for (let i = 0; i < 6; i++) {
      const refusal = await take(ground, holder);
      if (refusal.granted) throw new Error('nothing is free');
      waits.push(refusal.retryAtMs - ground.nowMs);
      const { reads } = ground;
      ground.nowMs = refusal.retryAtMs - 1;
      await take(ground, holder);
      expect(ground.reads).toBe(reads);
      ground.nowMs = refusal.retryAtMs;
      await take(ground, holder);
      expect(ground.reads).toBe(reads + 1);
    }
    expect(waits).toEqual([1_000, 2_000, 4_000, 8_000, 15_000, 15_000]);
    // Once something came back, it begins again.
    for (const [path, row] of ground.docs) ground.docs.set(path, { ...row, holders: {} });
    ground.nowMs += 15_000;
    expect(await take(ground, holder)).toMatchObject({ granted: true });
    leaseTheRest(ground);
    expect(await take(ground, holder)).toMatchObject({ retryAtMs: ground.nowMs + 1_000 });
  });

  it('case 45: of a longer window is refused for as long', async () => {
    const ground = new Ground();
    const holder = ground.holder(limits({ minute: 100, hour: 4 }), 0, () => 0);
    await use(ground, holder, 5);
    expect(holder.refusalNow(ground.nowMs)).toMatchObject({ retryAtMs: t0 + HOUR_MS });
  });
});

describe('the next block', () => {
  it('is fetched beside the call when a quarter is left, once', async () => {
    const ground = new Ground();
    const holder = ground.holder(perMinute(10_000));
    await warmUp(ground, holder);
    drain(ground, holder);
    await take(ground, holder);
    const { granted = 0 } = Object.values(ground.row.holders)[0] ?? {};
    expect(granted).toBeGreaterThan(20);
    for (let left = granted - 1; left > Math.floor(granted / 4); left--) {
      expect(holder.prefetch(ground.nowMs)).toBeNull();
      holder.takeNow(ground.nowMs);
    }
    const { reads } = ground;
    const prefetch = holder.prefetch(ground.nowMs);
    expect(prefetch).not.toBeNull();
    expect(holder.prefetch(ground.nowMs)).toBeNull();
    // Calls go on from what is left.
    expect(holder.takeNow(ground.nowMs)).toBeGreaterThan(0);
    await prefetch;
    expect(ground.reads).toBe(reads + 1);
    expect(drain(ground, holder).length).toBeGreaterThan(granted / 2);
  });

  it('is not asked for again at once where it was refused, while the last one is used up', async () => {
    const ground = new Ground();
    const holder = ground.holder(perMinute(10_000));
    await warmUp(ground, holder);
    drain(ground, holder);
    await take(ground, holder);
    leaseTheRest(ground);
    await lowered(ground, holder);
    const { reads } = ground;
    expect(holder.prefetch(ground.nowMs)).toBeNull();
    expect(holder.refusalNow(ground.nowMs)).toBeNull();
    expect(drain(ground, holder).length).toBeGreaterThan(1);
    expect(holder.refusalNow(ground.nowMs)).toMatchObject({ reason: 'exhausted' });
    expect(ground.reads).toBe(reads);
  });

  it('is not fetched for traffic so sparse that units are leased one by one', async () => {
    const ground = new Ground();
    const holder = ground.holder(perMinute(10_000));
    await use(ground, holder, 3, 4_000);
    expect(holder.prefetch(ground.nowMs)).toBeNull();
    expect(ground.holder(perMinute(5)).prefetch(ground.nowMs)).toBeNull();
  });
});

describe('a store that cannot be reached', () => {
  const outage = (mode: QuotaPolicy['outage'], minute = 1_000) =>
    limits({ minute, hour: 100_000, outage: mode, outage_allowance: 3 });

  it('refuses for a second or two, asks no sooner, and recovers', async () => {
    const ground = new Ground();
    const holder = ground.holder(outage('refuse'));
    ground.isDown = true;
    const refusal = { granted: false, retryAtMs: t0 + 1_500, reason: 'unavailable' };
    expect(await take(ground, holder)).toEqual(refusal);
    expect(await take(ground, holder)).toEqual(refusal);
    expect(holder.refusalNow(t0 + 1_499)).toEqual(refusal);
    expect(ground.outages).toHaveLength(1);
    ground.isDown = false;
    ground.nowMs = t0 + 1_500;
    expect(holder.refusalNow(ground.nowMs)).toBeNull();
    expect(await take(ground, holder)).toMatchObject({ granted: true });
  });

  it('leaves what was leased before usable', async () => {
    const ground = new Ground();
    const holder = ground.holder(outage('refuse'));
    await warmUp(ground, holder);
    drain(ground, holder);
    await take(ground, holder);
    ground.isDown = true;
    await lowered(ground, holder);
    expect(ground.outages).toHaveLength(1);
    expect(holder.prefetch(ground.nowMs)).toBeNull();
    expect(holder.refusalNow(ground.nowMs)).toBeNull();
    expect(drain(ground, holder).length).toBeGreaterThan(1);
  });

  it('lets the allowance pass in each window, where the policy says so', async () => {
    const ground = new Ground();
    const holder = ground.holder(outage('allowance'));
    ground.isDown = true;
    const granted = async () =>
      (await Promise.all([1, 2, 3, 4, 5].map(() => take(ground, holder)))).filter(
        (answer) => answer.granted,
      );
    const first = await granted();
    expect(first).toHaveLength(3);
    expect(holder.refusalNow(ground.nowMs)).toMatchObject({ reason: 'unavailable' });
    ground.nowMs += 2_000;
    expect(await granted()).toHaveLength(0);
    for (const answer of [...first, ...first])
      if (answer.granted) holder.giveBack(answer.generation);
    expect(holder.refusalNow(ground.nowMs)).toBeNull();
    expect(await granted()).toHaveLength(3);
    ground.nowMs += MINUTE_MS;
    expect(await granted()).toHaveLength(3);
  });

  it('lets no more pass than the limit', async () => {
    const ground = new Ground();
    const holder = ground.holder(outage('allowance', 2));
    ground.isDown = true;
    const answers = await Promise.all([1, 2, 3, 4].map(() => take(ground, holder)));
    expect(answers.map(({ granted }) => granted)).toEqual([true, true, false, false]);
  });

  it('lets all pass, where the policy says so', async () => {
    const ground = new Ground();
    const holder = ground.holder(outage('serve'));
    ground.isDown = true;
    const answers = await Promise.all(Array.from({ length: 50 }, () => take(ground, holder)));
    expect(answers.every(({ granted }) => granted)).toBe(true);
    expect(ground.outages).toHaveLength(1);
  });

  it('never makes anything throw, not even when the listener does', async () => {
    const ground = new Ground();
    ground.isDown = true;
    const holder = new QuotaHolder(key, perMinute(5), {
      store: {
        revise: () => {
          throw new TypeError('at once');
        },
      },
      clock: { nowMs: () => ground.nowMs },
      random: () => 0,
      newHolderId: () => 'holder',
      onOutage: () => {
        throw new Error('listener');
      },
    });
    expect(await take(ground, holder)).toMatchObject({ reason: 'unavailable' });
    await holder.close();
  });

  it('of unsteady time is given up after a few reads', async () => {
    const ground = new Ground();
    const holder = ground.holder(perMinute(5));
    // Each answer takes longer than a window.
    ground.latencyMs = 3 * MINUTE_MS;
    expect(await take(ground, holder)).toMatchObject({ granted: false, reason: 'unavailable' });
    expect(ground.reads).toBeLessThan(10);
    expect(ground.outages).toHaveLength(1);
  });

  it('whose answers come when their leases are over is given up as well, and nothing is charged', async () => {
    const ground = new Ground();
    const holder = ground.holder(limits({ hour: 1_000 }));
    ground.latencyMs = 40_000;
    expect(await take(ground, holder)).toMatchObject({ granted: false, reason: 'unavailable' });
    expect(ground.reads).toBeLessThan(10);
    ground.latencyMs = 0;
    await holder.close();
    expect(ground.row.used_count).toBe(0);
  });

  it('tells of a time zone that does not exist at once', () => {
    expect(() => new Ground().holder(limits({ day: 1, time_zone: 'Mars' }))).toThrow(RangeError);
  });
});

describe('a holder', () => {
  it('is idle while it holds nothing and knows nothing', async () => {
    const ground = new Ground();
    const holder = ground.holder(perMinute(50));
    expect(holder.isIdle).toBe(true);
    const waiting = take(ground, holder);
    expect(holder.isIdle).toBe(false);
    await waiting;
    expect(holder.isIdle).toBe(false);
    ground.nowMs += MINUTE_MS;
    expect(holder.isIdle).toBe(true);
    await use(ground, holder, 51);
    await holder.close();
    expect(holder.isIdle).toBe(false);
    ground.nowMs += 2 * MINUTE_MS;
    expect(holder.isIdle).toBe(true);
  });
});
