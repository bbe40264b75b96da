import fc from 'fast-check';
import { describe, expect, it } from 'vitest';

import { ManualClock } from '../../../local/kernel/clock.ts';
import { seeded } from '../../../local/kernel/seeded.ts';
import { createExecution } from '../../../shared/execution/executor.ts';
import type { Execution } from '../../../shared/execution/execution.ts';
import { type ProviderHealthState, healthStates } from '../../../shared/execution/health.ts';
import { EVERY_TENANT, type ExecutionKey, keyId } from '../../../shared/execution/key.ts';
import type { ExecutionMetrics } from '../../../shared/execution/metrics.ts';
import { forceOpenBreaker } from '../../../shared/execution/operate-breaker.ts';
import type { ExecutionSettings } from '../../../shared/execution/policy.ts';
import type { ExecutionClock } from '../../../shared/execution/ports.ts';
import type { ProviderExecutionResult } from '../../../shared/execution/result.ts';
import { healthSummary } from '../../../shared/execution/summary.ts';
import { nextDelivery } from '../../../shared/rfqs/next-delivery.ts';
import { ref } from '../../../shared/store/collection.ts';
import { attemptOutcome } from '../../../shared/webhooks/attempt-outcome.ts';
import { MemoryStore } from './support/memory-store.ts';
import {
  type Bench,
  Scripted,
  type Script,
  failing,
  inTurn,
  openBench,
  requestFor,
  settingsWith,
} from './support/scripted.ts';

const once = { retry: { max_attempts: 1 } };
const THRESHOLD = 5;
const COOLDOWN_MS = 60_000;
const HOUR_MS = 3_600_000;
const key: ExecutionKey = { tenantId: 'acme', providerName: 'scripted', capability: 'testing' };

const ok = () => Promise.resolve('ok');
const never = () => new Promise<never>(() => undefined);
const down = failing('dependency_unavailable');

/** One of several providers of an instance. */
class Named extends Scripted {
  override readonly providerName: string;

  constructor(execution: Execution, providerName: string, script?: Script) {
    super(execution, script);
    this.providerName = providerName;
  }
}

const perMinute = (minute: number): ExecutionSettings['quotas'] => [
  {
    provider: 'scripted',
    capability: 'testing',
    limits: { minute, time_zone: 'UTC', outage: 'refuse', outage_allowance: 0 },
  },
];

const statesOf = ({ store }: Bench, tenantId: string): ProviderHealthState[] =>
  store
    .all<ProviderHealthState>('provider_health_states')
    .filter(({ tenant_id }) => tenant_id === tenantId);

const rowsOf = ({ store }: Bench, tenantId = 'acme') =>
  store
    .all<ExecutionMetrics>('provider_execution_metrics')
    .flatMap(({ rows }) => rows)
    .filter(({ tenant_id }) => tenant_id === tenantId);

const opened = ({ events }: Bench): boolean =>
  events.some(
    (event) =>
      event.kind === 'breaker_changed' && event.to === 'open' && event.key.tenantId === 'acme',
  );

/** What a call has come to so far: to wait for one that never ends would end no test. */
function watched(running: Promise<ProviderExecutionResult<unknown>>) {
  const seen: { result: ProviderExecutionResult<unknown> | null } = { result: null };
  void running.then((result) => (seen.result = result));
  return seen;
}

/** No exchange with the store ends before it is let go. */
function hang({ store }: Bench): () => void {
  let release = () => {};
  store.held = new Promise((done) => (release = done));
  return release;
}

/** Lets everything happen that waits for no time. */
const settle = ({ clock }: Pick<Bench, 'clock'>) => clock.advance(0);

const overClock = (store: MemoryStore, clock: ExecutionClock, settings: ExecutionSettings) =>
  createExecution({ store, clock, random: () => 0.5, settings: () => settings, instanceId: 'i' });

describe('the failures of several instances', () => {
  it('do not add up where one call in fifty fails', async () => {
    const random = seeded(7);
    const bench = openBench(settingsWith(once));
    const providers = Array.from(
      { length: 10 },
      () => new Scripted(bench.instance(), (call) => (random() < 0.02 ? down(call) : ok())),
    );
    const failures = { all: 0, running: 0, longestRun: 0 };
    for (let round = 0; round < 600; round++) {
      for (const provider of providers) {
        const { status } = await provider.execute(requestFor());
        expect(status).not.toBe('deferred');
        failures.all += status === 'failed' ? 1 : 0;
        failures.running = status === 'failed' ? failures.running + 1 : 0;
        failures.longestRun = Math.max(failures.longestRun, failures.running);
      }
      await bench.clock.advance(20);
    }
    // Many, and never as many in a row as open a breaker.
    expect(failures.all).toBeGreaterThan(100);
    expect(failures.longestRun).toBeLessThan(THRESHOLD);
  });

  it.each([100, 1_000, 5_000])(
    'open the breaker before any of them fails more often than one alone may (every %i ms)',
    async (paceMs) => {
      const bench = openBench(settingsWith(once));
      const providers = Array.from({ length: 10 }, () => new Scripted(bench.instance()));
      const round = async () => {
        for (const provider of providers) await provider.execute(requestFor());
        await bench.clock.advance(paceMs);
      };
      for (let rounds = 0; rounds < 20; rounds++) await round();
      for (const provider of providers) provider.script = down;
      const before = providers.map(({ calls }) => calls);
      // All of it within the cooldown.
      for (let rounds = 0; rounds < 10; rounds++) await round();
      const failed = providers.map(({ calls }, index) => calls - (before[index] ?? 0));
      expect(Math.min(...failed)).toBeGreaterThan(0);
      expect(Math.max(...failed)).toBeLessThanOrEqual(THRESHOLD);
      expect(statesOf(bench, 'acme')).toMatchObject([{ breaker_state: 'open' }]);
    },
  );

  it('open it only after five that were told by instances none of which succeeded in between', async () => {
    interface Outcome {
      readonly by: number;
      readonly failed: boolean;
    }
    // In the order in which they are told, not in which calls end: an instance writes a document now
    // and then only, and of a success that ends no failure it knows of it says nothing until its own
    // next failure. So the successes of an instance that does not fail may lie within the five.
    const endsARun = (told: readonly Outcome[]): boolean => {
      const failures = told.flatMap(({ failed }, index) => (failed ? [index] : []));
      const first = failures.at(-THRESHOLD);
      if (first === undefined) return false;
      const run = told.slice(first);
      const failers = new Set(run.flatMap(({ by, failed }) => (failed ? [by] : [])));
      return run.every(({ by, failed }) => failed || !failers.has(by));
    };
    const health = ref(healthStates, keyId(key)).path;
    const seen = { opened: 0, ofSeveral: 0 };

    const worlds = fc.record({
      instances: fc.integer({ min: 2, max: 8 }),
      share: fc.double({ min: 0.1, max: 0.7, noNaN: true }),
      paceMs: fc.constantFrom(10, 100, 1_000, 4_000),
      snapshot_s: fc.constantFrom(10, 3_600),
      seed: fc.integer({ min: 1, max: 1_000_000 }),
    });
    await fc.assert(
      fc.asyncProperty(worlds, async ({ instances, share, paceMs, snapshot_s, seed }) => {
        const random = seeded(seed);
        const bench = openBench(settingsWith({ ...once, telemetry: { snapshot_s } }));
        const untold: Outcome[][] = Array.from({ length: instances }, () => []);
        const told: Outcome[] = [];
        let by = 0;
        let mayOpen = false;
        const revise = bench.store.revise.bind(bench.store);
        bench.store.revise = (refs, decide) => {
          if (refs['health']?.path === health)
            for (const outcome of untold[by]?.splice(0) ?? []) {
              told.push(outcome);
              mayOpen ||= outcome.failed && endsARun(told);
            }
          return revise(refs, decide);
        };
        const providers = untold.map(
          (own) =>
            new Scripted(bench.instance(), (call) => {
              const failed = random() < share;
              own.push({ by, failed });
              return failed ? down(call) : ok();
            }),
        );
        for (let calls = 0; calls < 80 && !opened(bench); calls++) {
          by = Math.floor(random() * instances);
          mayOpen = false;
          await providers[by]?.execute(requestFor());
          await bench.clock.advance(paceMs);
        }
        if (!opened(bench)) return;
        expect(mayOpen).toBe(true);
        seen.opened++;
        const last = told.filter(({ failed }) => failed).slice(-THRESHOLD);
        if (new Set(last.map((outcome) => outcome.by)).size > 1) seen.ofSeveral++;
      }),
      { numRuns: 60 },
    );
    // Neither never nor by one instance's failures alone.
    expect(seen.opened).toBeGreaterThan(0);
    expect(seen.ofSeveral).toBeGreaterThan(0);
  });
});

describe('what an instance has counted', () => {
  it('goes on counting for a key that was forgotten and comes again', async () => {
    const bench = openBench(settingsWith(once));
    const provider = new Scripted(bench.instance());
    const fail = async (times: number) => {
      provider.script = down;
      for (let i = 0; i < times; i++) {
        await provider.execute(requestFor());
        await bench.clock.advance(2_000);
      }
    };
    await fail(3);
    provider.script = ok;
    for (let i = 0; i < 1_100; i++) await provider.execute(requestFor(`tenant-${i}`));
    await fail(2);
    expect(statesOf(bench, 'acme')).toMatchObject([{ breaker_state: 'open' }]);
    expect(rowsOf(bench)).toHaveLength(5);
    expect(await provider.execute(requestFor())).toMatchObject({ status: 'deferred' });
  });

  it('is all written when it closes, after a write that failed, too', async () => {
    const bench = openBench(settingsWith(once));
    const execution = bench.instance();
    const provider = new Scripted(execution);
    await provider.execute(requestFor());
    bench.store.fault = () => 'unavailable';
    await execution.flush();
    bench.store.fault = () => null;
    for (let i = 0; i < 2; i++) await provider.execute(requestFor());
    await execution.close();
    expect(rowsOf(bench)).toHaveLength(3);
    expect(statesOf(bench, 'acme')).toMatchObject([{ windows: [{ succeeded: 3 }] }]);
  });

  it('lists a failure once, whose row was written and the acknowledgement lost', async () => {
    const bench = openBench(settingsWith(once));
    const execution = bench.instance();
    const provider = new Scripted(execution, failing('bad_request'));
    await provider.execute(requestFor());
    await bench.clock.advance(100);
    bench.store.fault = () => 'lost';
    await provider.execute(requestFor());
    bench.store.fault = () => null;
    await bench.clock.advance(2_000);
    await provider.execute(requestFor());
    await execution.close();
    expect(rowsOf(bench)).toHaveLength(3);
    expect(statesOf(bench, 'acme')).toMatchObject([{ windows: [{ failed: 3 }] }]);
  });

  it('under a name for many providers keeps none of them in memory', async () => {
    const capabilities: ExecutionSettings['capabilities'] = {
      testing: { retry: {}, breaker: { scope: 'provider' }, health_under: 'webhooks' },
    };
    const bench = openBench(settingsWith({ ...once, capabilities }));
    const execution = bench.instance();
    const call = (provider: string) => new Named(execution, provider).execute(requestFor());
    await call('first');
    expect(await bench.store.cost(() => call('first'))).toMatchObject({ reads: 0 });
    // Some of these calls are counted and not written at any time.
    for (let i = 0; i < 1_050; i++) await call(`other-${i}`);
    expect(await bench.store.cost(() => call('first'))).toMatchObject({ reads: 1 });
  });
});

describe('a store that is down', () => {
  it('is asked now and then, not for each call, and is told everything when it is back', async () => {
    const bench = openBench(settingsWith(once));
    const execution = bench.instance();
    const provider = new Scripted(execution, failing('bad_request'));
    await provider.execute(requestFor());
    let asked = 0;
    bench.store.fault = () => {
      asked++;
      return 'unavailable';
    };
    for (let calls = 0; calls < 200; calls++) await provider.execute(requestFor());
    expect(asked).toBe(1);
    for (let calls = 0; calls < 600; calls++) {
      await bench.clock.advance(200);
      await provider.execute(requestFor());
    }
    // In two minutes: after a second, two, four and eight, then as often as breakers are looked up.
    expect(asked).toBeLessThan(25);
    bench.store.fault = () => null;
    await execution.close();
    expect(rowsOf(bench)).toHaveLength(801);
  });

  it('is not told as a quota that is used up', async () => {
    const bench = openBench(settingsWith({ ...once, quotas: perMinute(60) }));
    const provider = new Scripted(bench.instance());
    bench.store.fault = () => 'unavailable';
    for (const from of ['the store', 'memory'])
      expect([from, await provider.execute(requestFor())]).toMatchObject([
        from,
        {
          status: 'deferred',
          failure: {
            reasonCode: 'quota_exhausted',
            message: 'the quota cannot be asked, as the store does not answer',
          },
        },
      ]);
    expect(provider.calls).toBe(0);
  });
});

describe('a store that hangs', () => {
  it('delays a call whose breaker is unknown by one second', async () => {
    const bench = openBench(settingsWith({ ...once, timeout_budget_s: 3 }));
    const provider = new Scripted(bench.instance());
    hang(bench);
    const call = watched(provider.execute(requestFor()));
    await bench.clock.advance(999);
    expect(provider.calls).toBe(0);
    await bench.clock.advance(1);
    expect(call.result).toMatchObject({ status: 'succeeded' });
  });

  it('delays one call, by a second before and five after it, and the next ones not at all', async () => {
    const bench = openBench(settingsWith(once));
    const provider = new Scripted(bench.instance());
    await provider.execute(requestFor());
    // So long that its breaker is unknown, and its counts are to be written.
    await bench.clock.advance(60_000);
    hang(bench);
    const first = watched(provider.execute(requestFor()));
    await bench.clock.advance(999);
    expect(provider.calls).toBe(1);
    await bench.clock.advance(1);
    expect([provider.calls, first.result]).toEqual([2, null]);
    await bench.clock.advance(5_000);
    expect(first.result).toMatchObject({ status: 'succeeded' });
    for (let calls = 0; calls < 6; calls++) {
      const next = watched(provider.execute(requestFor()));
      await settle(bench);
      expect(next.result).toMatchObject({ status: 'succeeded' });
    }
  });

  it('and grants a probe when its call is over gets the slot back', async () => {
    const bench = openBench(settingsWith({ ...once, timeout_budget_s: 3 }));
    const provider = new Scripted(bench.instance(), down);
    for (let i = 0; i < THRESHOLD; i++) await provider.execute(requestFor());
    await bench.clock.advance(COOLDOWN_MS);
    provider.script = ok;
    const release = hang(bench);
    const late = watched(provider.execute(requestFor()));
    await bench.clock.advance(3_000);
    release();
    await settle(bench);
    expect(late.result).toMatchObject({ status: 'failed', failure: { reasonCode: 'timeout' } });
    expect(statesOf(bench, 'acme')).toMatchObject([
      { breaker_state: 'half_open', breaker: { probes: {} } },
    ]);
    expect(provider.calls).toBe(THRESHOLD);
    expect(await provider.execute(requestFor())).toMatchObject({ status: 'succeeded' });
  });
});

describe('a retry that asks for quota', () => {
  const budget = { timeout_budget_s: 3, retry: { base_delay_s: 1 } };

  /** The first attempt fails, and the store hangs as the second asks for its unit. */
  async function untilItAsks(signal?: AbortSignal) {
    const bench = openBench(settingsWith({ ...budget, quotas: perMinute(2) }));
    let release = () => {};
    const first: Script = (call) => {
      release = hang(bench);
      return failing('timeout')(call);
    };
    const provider = new Scripted(bench.instance(), inTurn(first, ok));
    const call = watched(provider.execute(requestFor('acme', signal ? { signal } : {})));
    await settle(bench);
    await bench.clock.advance(1_000);
    expect([provider.calls, call.result]).toEqual([1, null]);
    return { bench, provider, call, release };
  }

  /** Of two, one was used. */
  async function expectOneLeft(provider: Scripted): Promise<void> {
    expect(await provider.execute(requestFor())).toMatchObject({ status: 'succeeded' });
    expect(await provider.execute(requestFor())).toMatchObject({
      status: 'deferred',
      failure: { reasonCode: 'quota_exhausted' },
    });
  }

  it('ends with its budget, and the late unit goes back', async () => {
    const { bench, provider, call, release } = await untilItAsks();
    // What is to be written with the answer takes the rest.
    await bench.clock.advance(2_000 + 5_000);
    expect(call.result).toMatchObject({ status: 'failed', failure: { reasonCode: 'timeout' } });
    release();
    await settle(bench);
    expect(provider.calls).toBe(1);
    await expectOneLeft(provider);
  });

  it('sends nothing after its caller has left, and the late unit goes back', async () => {
    const controller = new AbortController();
    const { bench, provider, call, release } = await untilItAsks(controller.signal);
    controller.abort();
    await settle(bench);
    await bench.clock.advance(5_000);
    expect(call.result).toMatchObject({ status: 'cancelled' });
    release();
    await settle(bench);
    expect(provider.calls).toBe(1);
    await expectOneLeft(provider);
  });

  it('sends nothing after a cancel, in whichever turn it comes, and takes no unit for it', async () => {
    const sent = new Set<number>();
    for (let turn = 0; turn < 40; turn++) {
      const bench = openBench(settingsWith({ ...budget, quotas: perMinute(2) }));
      const provider = new Scripted(bench.instance(), inTurn(failing('timeout'), never));
      const controller = new AbortController();
      const call = watched(provider.execute(requestFor('acme', { signal: controller.signal })));
      await settle(bench);
      // The wait ends at once; what follows takes turns.
      const waited = bench.clock.advance(1_000);
      for (let i = 0; i < turn; i++) await Promise.resolve();
      const { calls } = provider;
      controller.abort();
      await waited;
      expect([turn, provider.calls, call.result?.status]).toEqual([turn, calls, 'cancelled']);
      provider.script = ok;
      const { status } = await provider.execute(requestFor());
      expect([turn, status]).toEqual([turn, calls === 1 ? 'succeeded' : 'deferred']);
      sent.add(calls);
    }
    expect(sent).toEqual(new Set([1, 2]));
  });
});

describe('a call within a call', () => {
  it('that ends with the outer one leaves every other deadline in force', async () => {
    const bench = openBench(settingsWith({ ...once, timeout_budget_s: 10 }));
    const execution = bench.instance();
    const [outer, inner, other] = ['outer', 'inner', 'other'].map(
      (name) => new Named(execution, name),
    ) as [Named, Named, Named];
    for (const provider of [outer, inner, other]) await provider.execute(requestFor());
    inner.script = other.script = never;
    outer.script = ({ signal }) => inner.execute(requestFor('acme', { signal }));
    const calls = [watched(outer.execute(requestFor()))];
    await settle(bench);
    calls.push(watched(other.execute(requestFor())));
    await bench.clock.advance(10_000);
    expect(inner.calls).toBe(2);
    for (const { result } of calls)
      expect(result).toMatchObject({ status: 'failed', failure: { reasonCode: 'timeout' } });
  });
});

describe('a pause that the provider asks for', () => {
  const settings = settingsWith({ retry: { base_delay_s: 0.001 } });
  const pausing = () => inTurn(failing('rate_limited', { retryAfterMs: 300 }), ok);

  it('is followed by the attempt that waited for it, even if the timer rings early', async () => {
    const clock = new ManualClock();
    const store = new MemoryStore(() => clock.nowMs());
    const early = {
      nowMs: () => clock.nowMs(),
      at: (dueMs: number, fire: () => void) => clock.at(dueMs - 1, fire),
    };
    const provider = new Scripted(overClock(store, early, settings), pausing());
    const call = watched(provider.execute(requestFor()));
    await settle({ clock });
    await clock.advance(400);
    expect(call.result).toMatchObject({ status: 'succeeded', attempts: { length: 2 } });
  });

  it('is followed by the attempt that waited for it, even if the store falls behind', async () => {
    const clock = new ManualClock();
    let behindMs = 0;
    const store = new MemoryStore(() => clock.nowMs() - behindMs);
    const execution = overClock(store, clock, settings);
    const provider = new Scripted(execution, pausing());
    const call = watched(provider.execute(requestFor()));
    await settle({ clock });
    behindMs = 40;
    // Another call learns what time it is.
    await new Named(execution, 'other', failing('bad_request')).execute(requestFor());
    await clock.advance(339);
    expect(provider.calls).toBe(1);
    await clock.advance(61);
    expect(call.result).toMatchObject({ status: 'succeeded', attempts: { length: 2 } });
  });

  it('without saying for how long lasts as long as the wait before a retry', async () => {
    const bench = openBench(settingsWith(once));
    const provider = new Scripted(bench.instance(), failing('rate_limited'));
    for (let i = 0; i < 50; i++) await provider.execute(requestFor());
    expect(provider.calls).toBe(1);
    await bench.clock.advance(249);
    expect(await provider.execute(requestFor())).toMatchObject({
      status: 'deferred',
      failure: { reasonCode: 'rate_limited' },
      retryAt: new Date(bench.clock.nowMs() + 1),
    });
    await bench.clock.advance(1);
    await provider.execute(requestFor());
    expect(provider.calls).toBe(2);
  });
});

describe('a clock that is set back by an hour', () => {
  function openSkewed(settings: ExecutionSettings) {
    const clock = new ManualClock();
    let backMs = 0;
    const own = {
      nowMs: () => clock.nowMs() - backMs,
      at: (dueMs: number, fire: () => void) => clock.at(dueMs + backMs, fire),
    };
    const store = new MemoryStore(() => clock.nowMs());
    return {
      clock,
      own,
      execution: overClock(store, own, settings),
      setBack: () => (backMs += HOUR_MS),
    };
  }

  it('lets an open breaker wait for what was left of its cooldown', async () => {
    const { clock, own, execution, setBack } = openSkewed(settingsWith(once));
    const provider = new Scripted(execution, down);
    for (let i = 0; i < THRESHOLD; i++) await provider.execute(requestFor());
    provider.script = ok;
    await clock.advance(20_000);
    // What passes between the last call and the correction, nobody can know.
    expect(await provider.execute(requestFor())).toMatchObject({ status: 'deferred' });
    setBack();
    expect(await provider.execute(requestFor())).toMatchObject({
      status: 'deferred',
      retryAt: new Date(own.nowMs() + COOLDOWN_MS - 20_000),
    });
    await clock.advance(COOLDOWN_MS - 20_001);
    expect(await provider.execute(requestFor())).toMatchObject({ status: 'deferred' });
    await clock.advance(1);
    expect(await provider.execute(requestFor())).toMatchObject({ status: 'succeeded' });
  });

  it('lets a call that hangs end with its budget', async () => {
    const { clock, execution, setBack } = openSkewed(
      settingsWith({ ...once, timeout_budget_s: 3 }),
    );
    const call = watched(new Scripted(execution, never).execute(requestFor()));
    await clock.advance(1_000);
    setBack();
    await clock.advance(1_999);
    expect(call.result).toBeNull();
    await clock.advance(1);
    expect(call.result).toMatchObject({ status: 'failed', failure: { reasonCode: 'timeout' } });
  });
});

describe('a breaker over all tenants', () => {
  const everyone: ExecutionKey = { ...key, tenantId: EVERY_TENANT };

  it('that an operator forced open lets a new instance make two calls at most', async () => {
    const bench = openBench(settingsWith(once));
    const { writes } = forceOpenBreaker(
      { health: null },
      {
        id: 'cmd_1',
        at: new Date(bench.clock.nowMs()),
        key: everyone,
        by: 'operator',
        reason: 'maintenance',
        scope: 'tenant',
      },
    );
    await bench.store.write(writes);
    const provider = new Scripted(bench.instance());
    const statuses: string[] = [];
    const costs: number[] = [];
    for (let calls = 0; calls < 20; calls++) {
      const { reads } = await bench.store.cost(async () => {
        statuses.push((await provider.execute(requestFor())).status);
      });
      costs.push(reads);
      await bench.clock.advance(1_000);
    }
    expect(provider.calls).toBeLessThanOrEqual(2);
    expect(statuses.slice(2)).toEqual(Array.from({ length: 18 }, () => 'deferred'));
    // The first reads its own breaker; the second looks this one up beside its work.
    expect(costs.slice(0, 2)).toEqual([1, 1]);
  });

  it('that is open is what the summary shows a tenant whose own is closed', async () => {
    const bench = openBench(settingsWith(once));
    const provider = new Scripted(bench.instance(), down);
    for (let i = 0; i < 3; i++)
      for (const tenant of ['acme', 'globex']) await provider.execute(requestFor(tenant));
    expect(await provider.execute(requestFor('acme'))).toMatchObject({ status: 'deferred' });
    const own = statesOf(bench, 'acme');
    expect(own).toMatchObject([{ breaker_state: 'closed' }]);
    const at = new Date(bench.clock.nowMs());
    const { providers } = healthSummary('acme', own, [], statesOf(bench, EVERY_TENANT), at);
    expect(providers).toMatchObject([{ breaker_state: 'open' }]);
  });
});

describe('a delivery', () => {
  it('counts the attempts that were made for it', async () => {
    const bench = openBench();
    const provider = new Scripted(bench.instance(), failing('timeout'));
    const result = await bench.during(provider.execute(requestFor()));
    const outcome = attemptOutcome(result as ProviderExecutionResult<number>);
    const at = new Date(bench.clock.nowMs());
    const next = nextDelivery(null, outcome, at, new Date(at.getTime() + HOUR_MS));
    expect([provider.calls, next.attempts]).toEqual([3, 3]);
  });
});
