import './support/quick-retries.ts';

import { afterAll, afterEach, beforeAll, describe, expect, it } from 'vitest';

import { seeded } from '../../local/kernel/seeded.ts';
import type { ExecutionKey } from '../../shared/execution/key.ts';
import type { QuotaPolicy } from '../../shared/execution/policy.ts';
import { QuotaHolder } from '../../shared/execution/quota-holder.ts';
import { windowsAt } from '../../shared/execution/quota-window.ts';
import { type QuotaState, quotaRef } from '../../shared/execution/quota.ts';
import type { Services } from '../../shared/runtime/services.ts';
import { addsUp } from '../shared/execution/quota-simulation.ts';
import { crashAt } from './support/crash.ts';
import { type Ground, type Instance, openGround } from './support/ground.ts';

const MINUTE_MS = 60_000;

let ground: Ground;
let instances: readonly Instance[];
beforeAll(async () => {
  ground = await openGround();
  instances = Array.from({ length: 4 }, () => ground.instance());
});
afterEach(() => ground.cloud.faults.clear());
afterAll(() => ground.close());

const limits = (given: Partial<QuotaPolicy>): QuotaPolicy => ({
  time_zone: 'UTC',
  outage: 'refuse',
  outage_allowance: 0,
  ...given,
});

let keys = 0;
/** A key that no other test uses. */
const newKey = (): ExecutionKey => ({
  tenantId: `tenant-${++keys}`,
  providerName: 'synthetic',
  capability: 'synthetic_call',
});

let holders = 0;
const holderOn = (
  { store }: Pick<Services, 'store'>,
  key: ExecutionKey,
  policy: QuotaPolicy,
  aheadMs = 0,
): QuotaHolder =>
  new QuotaHolder(key, policy, {
    store,
    clock: { nowMs: () => ground.clock.nowMs() + aheadMs },
    random: seeded(++holders),
    newHolderId: () => `holder-${++holders}`,
  });

const onEach = (key: ExecutionKey, policy: QuotaPolicy) =>
  instances.map((instance) => holderOn(instance, key, policy));

/** At once, as many as given, in turn by each of the holders; how many got a unit. */
async function takeAtOnce(from: readonly QuotaHolder[], calls: number): Promise<number> {
  const answers = await Promise.all(
    Array.from({ length: calls }, async (_, index) => {
      const holder = from[index % from.length];
      const nowMs = ground.clock.nowMs();
      return holder && (holder.takeNow(nowMs) > 0 || (await holder.take(nowMs)).granted);
    }),
  );
  return answers.filter(Boolean).length;
}

async function rowOf(key: ExecutionKey, policy: QuotaPolicy): Promise<QuotaState> {
  const [longest] = windowsAt(policy, ground.clock.nowMs());
  const row = await instances[0]?.store.get(quotaRef(key, longest));
  if (!row) throw new Error('nothing was leased');
  return row;
}

/** The next minute, a moment after its beginning. */
const nextMinute = () =>
  ground.clock.advance(MINUTE_MS - (ground.clock.nowMs() % MINUTE_MS) + 1_000);

describe('a quota on Firestore', () => {
  it('case 37: many callers on several instances use exactly the limit', async () => {
    const [key, policy] = [newKey(), limits({ minute: 50, day: 1_000 })];
    const holders = onEach(key, policy);
    const first = await takeAtOnce(holders, 120);
    // Which holder has the last units is chance: none is refused for long while some are left.
    const rest = await takeAtOnce(holders, 120);
    expect(first).toBeLessThanOrEqual(50);
    expect(first + rest).toBe(50);
    for (const holder of holders) await holder.close();
    const row = await rowOf(key, policy);
    expect(row).toMatchObject({ limit_count: 1_000, used_count: 50, remaining_count: 950 });
    expect(row.windows[1]).toMatchObject({ limit_count: 50, used_count: 50, remaining_count: 0 });
    expect(row.windows[1]?.last_exhausted_at).not.toBeNull();
  });

  it.each([1, 2, 3])(
    'case 37: is never exceeded, whatever calls are lost and whoever crashes: seed %i',
    async (seed) => {
      const [key, policy] = [newKey(), limits({ minute: 40, hour: 90 })];
      const random = seeded(seed);
      const inHour = new Map<string, number>();
      let living = onEach(key, policy);
      const failed = (['ABORTED', 'UNAVAILABLE'] as const).map((code) => ({
        kind: 'fail' as const,
        code,
      }));
      ground.cloud.faults.random(seed, {
        probability: 0.3,
        actions: [...failed, { kind: 'lose-acknowledgement' }],
        only: ['Commit'],
      });
      // A read that was answered to nobody would leave its lock for a minute.
      ground.cloud.faults.random(seed, {
        probability: 0.1,
        actions: failed,
        only: ['BatchGetDocuments'],
      });
      for (let minute = 0; minute < 3; minute++) {
        await nextMinute();
        const hour = new Date(ground.clock.nowMs()).toISOString().slice(0, 13);
        let inMinute = 0;
        for (let round = 0; round < 4; round++) {
          const granted = await takeAtOnce(living, 16);
          inMinute += granted;
          inHour.set(hour, (inHour.get(hour) ?? 0) + granted);
          await ground.clock.advance(4_000);
          // One is gone without a word; what it held is left.
          const at = Math.floor(random() * living.length);
          living = living.map((holder, index) =>
            index === at ? holderOn(instances[index] as Instance, key, policy) : holder,
          );
        }
        expect(inMinute).toBeLessThanOrEqual(40);
        expect(inMinute).toBeGreaterThan(0);
      }
      expect(Math.max(...inHour.values())).toBeLessThanOrEqual(90);
      ground.cloud.faults.clear();
      expect(addsUp(await rowOf(key, policy))).toBe(true);
    },
  );

  it('case 38: outlives an instance that dies after its commit', async () => {
    await nextMinute();
    const [key, policy] = [newKey(), limits({ minute: 10 })];
    await crashAt(ground, { rpc: 'Commit' }, 'crash', (dying) =>
      takeAtOnce([holderOn(dying, key, policy)], 4),
    );
    const living = onEach(key, policy);
    expect(await takeAtOnce(living, 30)).toBe(6);
    await nextMinute();
    expect(await takeAtOnce(living, 30)).toBe(10);
  });

  it('case 38: outlives one that dies before, as soon as the store drops its lock', async () => {
    await nextMinute();
    const [key, policy] = [newKey(), limits({ hour: 10 })];
    await crashAt(ground, { rpc: 'Commit' }, 'crash-before', (dying) =>
      takeAtOnce([holderOn(dying, key, policy)], 4),
    );
    const living = onEach(key, policy);
    expect(await takeAtOnce(living, 30)).toBe(0);
    await ground.clock.advance(MINUTE_MS);
    expect(await takeAtOnce(living, 30)).toBe(10);
  });

  it.each([1, 2, 3])('case 39: grants once when %i acknowledgements are lost', async (times) => {
    const [key, policy] = [newKey(), limits({ minute: 10 })];
    const [holder] = onEach(key, policy);
    ground.cloud.faults.inject({ rpc: 'Commit', times, action: { kind: 'lose-acknowledgement' } });
    expect(await takeAtOnce(holder ? [holder] : [], 3)).toBe(3);
    expect(await rowOf(key, policy)).toMatchObject({ used_count: 3, remaining_count: 7 });
  });

  it('case 39: finds what was granted when every acknowledgement was lost', async () => {
    const [key, policy] = [newKey(), limits({ hour: 10 })];
    const [holder] = onEach(key, policy);
    if (!holder) throw new Error('no instance');
    ground.cloud.faults.inject({
      rpc: 'Commit',
      times: Infinity,
      action: { kind: 'lose-acknowledgement' },
    });
    expect(await holder.take(ground.clock.nowMs())).toMatchObject({ reason: 'unavailable' });
    ground.cloud.faults.clear();
    await ground.clock.advance(2_000);
    const { usage } = await ground.cloud.meter.measure(() => takeAtOnce([holder], 1));
    expect(usage).toMatchObject({ reads: 1, writes: 0 });
    expect(await rowOf(key, policy)).toMatchObject({ used_count: 1, remaining_count: 9 });
  });

  it.each([-5_000, 5_000, -3_600_000, 3_600_000])(
    'case 42: goes by the store’s clock, not by one that is %i ms ahead',
    async (aheadMs) => {
      await nextMinute();
      const [key, policy] = [newKey(), limits({ minute: 10 })];
      const [services] = instances;
      if (!services) throw new Error('no instance');
      const holder = holderOn(services, key, policy, aheadMs);
      const take = () => holder.take(ground.clock.nowMs() + aheadMs);
      const takeSix = async () => {
        let granted = 0;
        for (let i = 0; i < 6; i++) granted += Number((await take()).granted);
        return granted;
      };
      expect(await takeSix()).toBe(6);
      await ground.clock.advance(MINUTE_MS - 1 - (ground.clock.nowMs() % MINUTE_MS));
      expect(await takeSix()).toBe(4);
      expect(await rowOf(key, policy)).toMatchObject({ used_count: 10 });
      await nextMinute();
      expect(await takeSix()).toBe(6);
      await holder.close();
      expect(await rowOf(key, policy)).toMatchObject({ used_count: 6 });
    },
  );

  it('case 44: takes back what is left when an instance is shut down', async () => {
    const [key, policy] = [newKey(), limits({ day: 1_000 })];
    const [one, other] = onEach(key, policy);
    if (!one || !other) throw new Error('no instance');
    let taken = 0;
    for (let i = 0; i < 40; i++) {
      taken += await takeAtOnce([one], 1);
      await ground.clock.advance(100);
    }
    const held = Object.values((await rowOf(key, policy)).holders);
    expect(held.map(({ outstanding }) => outstanding > 0)).toEqual([true]);
    await one.close();
    expect(await rowOf(key, policy)).toMatchObject({ used_count: taken, holders: {} });
    expect(await takeAtOnce([other], 1)).toBe(1);
  });

  it('case 45: costs a read and a write a block, and nothing while it is exhausted', async () => {
    await nextMinute();
    const [key, policy] = [newKey(), limits({ minute: 1_000, day: 10_000, month: 100_000 })];
    const [holder] = onEach(key, policy);
    if (!holder) throw new Error('no instance');
    const block = await ground.cloud.meter.measure(() => takeAtOnce([holder], 20));
    expect(block.result).toBe(20);
    expect(block.usage).toMatchObject({ reads: 1, writes: 1 });
    const closed = holderOn(instances[0] as Instance, newKey(), limits({ minute: 0 }));
    await takeAtOnce([closed], 1);
    const refused = await ground.cloud.meter.measure(() => takeAtOnce([closed], 50));
    expect(refused.result).toBe(0);
    expect(refused.usage).toMatchObject({ reads: 0, writes: 0, rpcs: {} });
  });

  it('case 47: of one tenant is not another’s', async () => {
    const policy = limits({ minute: 5 });
    const [one, other] = [newKey(), newKey()];
    expect(await takeAtOnce(onEach(one, policy), 9)).toBe(5);
    expect(await takeAtOnce(onEach(other, policy), 9)).toBe(5);
    expect(await rowOf(other, policy)).toMatchObject({ tenant_id: other.tenantId, used_count: 5 });
  });
});
