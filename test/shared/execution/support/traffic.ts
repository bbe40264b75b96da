import { ManualClock } from '../../../../local/kernel/clock.ts';
import type { Execution } from '../../../../shared/execution/execution.ts';
import { createExecution } from '../../../../shared/execution/executor.ts';
import type { ExecutionSettings } from '../../../../shared/execution/policy.ts';
import { MemoryStore } from './memory-store.ts';
import { Scripted, requestFor, settingsWith } from './scripted.ts';

export interface Traffic {
  /** Over all instances. */
  readonly callsPerS: number;
  readonly instances: number;
  /** Null: they live on. An instance that ends is told so, and another takes its place. */
  readonly lifeS: number | null;
  readonly seconds: number;
  /** Not counted: when everything is new. */
  readonly warmUpS: number;
  readonly limits: Partial<Record<'minute' | 'hour' | 'day' | 'month', number>> | null;
  readonly seed: number;
}

export interface TrafficCost {
  readonly calls: number;
  readonly served: number;
  readonly readsPerCall: number;
  readonly writesPerCall: number;
}

/** Mulberry32: the same calls for the same seed. */
function randomOf(seed: number): () => number {
  let state = seed;
  return () => {
    state = (state + 0x6d2b79f5) | 0;
    let t = Math.imul(state ^ (state >>> 15), 1 | state);
    t = (t + Math.imul(t ^ (t >>> 7), 61 | t)) ^ t;
    return ((t ^ (t >>> 14)) >>> 0) / 2 ** 32;
  };
}

const settingsOf = (limits: Traffic['limits']): ExecutionSettings =>
  settingsWith({
    retry: { jitter_ratio: 0.1, budget_tokens: 10 },
    quotas: limits
      ? [
          {
            provider: 'scripted',
            capability: 'testing',
            limits: { ...limits, time_zone: 'UTC', outage: 'refuse', outage_allowance: 0 },
          },
        ]
      : [],
  });

/** Plays successful calls of one key, which arrive at random, and counts what they cost the store. */
export async function costOfTraffic(traffic: Traffic): Promise<TrafficCost> {
  const { callsPerS, instances, lifeS, seconds, warmUpS, limits, seed } = traffic;
  const clock = new ManualClock();
  const store = new MemoryStore(() => clock.nowMs());
  const random = randomOf(seed);
  const settings = settingsOf(limits);
  let born = 0;
  const start = (ageS: number) => {
    const execution: Execution = createExecution({
      store,
      clock,
      random,
      settings: () => settings,
      instanceId: `i${++born}`,
    });
    const endsMs = lifeS === null ? Infinity : clock.nowMs() + (lifeS - ageS) * 1_000;
    return { execution, provider: new Scripted(execution), endsMs };
  };
  // Born one after another, so that they do not all end together.
  const fleet = Array.from({ length: instances }, (_, n) => start(((lifeS ?? 0) * n) / instances));
  const startMs = clock.nowMs();
  let counted: { reads: number; writes: number } | null = null;
  let calls = 0;
  let served = 0;
  for (let atMs = startMs; atMs < startMs + (warmUpS + seconds) * 1_000;) {
    await clock.advance(Math.max(0, Math.round(atMs) - clock.nowMs()));
    for (const [place, { execution, endsMs }] of fleet.entries())
      if (endsMs <= clock.nowMs()) {
        await execution.close();
        fleet[place] = start(0);
      }
    if (!counted && atMs >= startMs + warmUpS * 1_000)
      counted = { reads: store.reads, writes: store.writes };
    const chosen = fleet[Math.floor(random() * instances)];
    const result = await chosen?.provider.execute(requestFor());
    if (counted) {
      calls++;
      if (result?.status === 'succeeded') served++;
    }
    atMs += (-Math.log(1 - random()) / callsPerS) * 1_000;
  }
  const before = counted ?? { reads: 0, writes: 0 };
  return {
    calls,
    served,
    readsPerCall: (store.reads - before.reads) / calls,
    writesPerCall: (store.writes - before.writes) / calls,
  };
}

/** The figures' cases. */
export const TRAFFIC = {
  warm: {
    callsPerS: 10,
    instances: 10,
    lifeS: null,
    seconds: 600,
    warmUpS: 60,
    limits: { hour: 100_000 },
    seed: 1,
  },
  sparse: {
    callsPerS: 0.2,
    instances: 3,
    lifeS: 60,
    seconds: 7_200,
    warmUpS: 0,
    limits: { day: 10_000 },
    seed: 1,
  },
  'without quota': {
    callsPerS: 10,
    instances: 10,
    lifeS: null,
    seconds: 600,
    warmUpS: 60,
    limits: null,
    seed: 1,
  },
  'without quota, sparse': {
    callsPerS: 0.2,
    instances: 3,
    lifeS: 60,
    seconds: 7_200,
    warmUpS: 0,
    limits: null,
    seed: 1,
  },
} as const satisfies Record<string, Traffic>;
