import { describe, expect, it } from 'vitest';

import { type Breaker, CLOSED, forceOpen } from '../../../shared/execution/breaker.ts';
import type { ExecutionRequest } from '../../../shared/execution/call.ts';
import { createExecution } from '../../../shared/execution/executor.ts';
import type { Execution } from '../../../shared/execution/execution.ts';
import {
  type ProviderHealthState,
  healthStates,
  newHealthState,
  withBreaker,
} from '../../../shared/execution/health.ts';
import { EVERY_TENANT, type ExecutionKey, keyId } from '../../../shared/execution/key.ts';
import type { ExecutionMetrics } from '../../../shared/execution/metrics.ts';
import { breakerHome } from '../../../shared/matching/breaker-home.ts';
import { type Match, matches } from '../../../shared/matching/schema.ts';
import { ref } from '../../../shared/store/collection.ts';
import { set } from '../../../shared/store/decision.ts';
import { aMatch } from '../examples.ts';
import {
  type Bench,
  Scripted,
  failing,
  inTurn,
  openBench,
  requestFor,
  settingsWith,
} from './support/scripted.ts';

const once = { retry: { max_attempts: 1 } };
const ok = () => Promise.resolve('ok');
const key: ExecutionKey = { tenantId: 'acme', providerName: 'scripted', capability: 'testing' };
const everyone: ExecutionKey = { ...key, tenantId: EVERY_TENANT };
const HOUR_MS = 3_600_000;

const pathOf = (of: ExecutionKey): string => ref(healthStates, keyId(of)).path;

/** How often each document was read by itself and written, by its path. */
function watched({ store }: Bench) {
  const reads = new Map<string, number>();
  const writes = new Map<string, number>();
  const count = (of: Map<string, number>, path: string) => of.set(path, (of.get(path) ?? 0) + 1);
  const get = store.get.bind(store);
  store.get = (place) => {
    count(reads, place.path);
    return get(place);
  };
  const put = store.docs.set.bind(store.docs);
  store.docs.set = (path, doc) => {
    count(writes, path);
    return put(path, doc);
  };
  return {
    reads: (of: ExecutionKey) => reads.get(pathOf(of)) ?? 0,
    writes: (of: ExecutionKey) => writes.get(pathOf(of)) ?? 0,
  };
}

const stateOf = ({ store }: Bench, of: ExecutionKey = key): ProviderHealthState => {
  const found = store
    .all<ProviderHealthState>('provider_health_states')
    .find(({ id }) => id === keyId(of));
  if (!found) throw new Error(`nothing is stored for ${JSON.stringify(of)}`);
  return found;
};

const rowsOf = ({ store }: Bench) =>
  store.all<ExecutionMetrics>('provider_execution_metrics').flatMap(({ rows }) => rows);

const countedIn = ({ windows }: ProviderHealthState) =>
  windows.reduce(
    ({ succeeded, failed }, window) => ({
      succeeded: succeeded + window.succeeded,
      failed: failed + window.failed,
    }),
    { succeeded: 0, failed: 0 },
  );

/** Stores a breaker, as somebody else would have. */
async function stored(bench: Bench, breaker: Breaker, of: ExecutionKey = key): Promise<void> {
  const at = new Date(bench.clock.nowMs());
  const by = { by: 'operator', reason: 'a test' };
  const doc = withBreaker(newHealthState(of, at), breaker, at, by);
  await bench.store.write([set(ref(healthStates, doc.id), doc)]);
}

/** An instance whose clock is not the store's. */
const instanceAheadBy = (bench: Bench, aheadMs: number): Execution =>
  createExecution({
    store: bench.store,
    clock: {
      nowMs: () => bench.clock.nowMs() + aheadMs,
      at: (dueMs, fire) => bench.clock.at(dueMs - aheadMs, fire),
    },
    random: () => 0.5,
    settings: () => settingsWith(once),
    instanceId: `skewed${aheadMs}`,
  });

describe('failures that come fast', () => {
  const settings = settingsWith({ ...once, breaker: { failure_threshold: 1_000 } });

  it('write a health document once a second, and each its own row at once', async () => {
    const bench = openBench(settings);
    const { writes } = watched(bench);
    const execution = bench.instance();
    const provider = new Scripted(execution, failing('dependency_unavailable'));
    for (let calls = 1; calls <= 50; calls++) {
      await provider.execute(requestFor());
      expect(rowsOf(bench)).toHaveLength(calls);
      await bench.clock.advance(100);
    }
    expect([writes(key), writes(everyone)]).toEqual([5, 5]);
    await execution.flush();
    for (const of of [key, everyone]) expect(stateOf(bench, of).consecutive_failures).toBe(50);
    expect(countedIn(stateOf(bench))).toEqual({ succeeded: 0, failed: 50 });
    expect(rowsOf(bench)).toHaveLength(50);
  });

  it('write what opens the breaker at once all the same', async () => {
    const bench = openBench(settingsWith(once));
    const { writes } = watched(bench);
    const provider = new Scripted(bench.instance(), failing('dependency_unavailable'));
    for (let calls = 1; calls <= 5; calls++) await provider.execute(requestFor());
    // The first failure, and the fifth.
    expect(writes(key)).toBe(2);
    expect(stateOf(bench)).toMatchObject({ breaker_state: 'open', consecutive_failures: 5 });
  });

  it('of several instances add up, whoever writes first', async () => {
    const bench = openBench(settings);
    const executions = Array.from({ length: 3 }, () => bench.instance());
    const providers = executions.map((each) => new Scripted(each, failing('timeout')));
    for (let round = 0; round < 4; round++) {
      await Promise.all(providers.map((provider) => provider.execute(requestFor())));
      await bench.clock.advance(300);
    }
    await Promise.all(executions.map((each) => each.flush()));
    expect(stateOf(bench).consecutive_failures).toBe(12);
    expect(countedIn(stateOf(bench)).failed).toBe(12);
    expect(rowsOf(bench)).toHaveLength(12);
  });
});

describe('successes that come fast', () => {
  it('are packed a hundred at a time, a second apart at least, until they are too many', async () => {
    const bench = openBench(settingsWith(once));
    const { writes } = watched(bench);
    const provider = new Scripted(bench.instance());
    const written: number[] = [];
    for (let calls = 1; calls <= 600; calls++) {
      const before = writes(key);
      await provider.execute(requestFor());
      if (writes(key) > before) written.push(calls);
    }
    // The first hundred, then what one second may hold at most.
    expect(written).toEqual([100, 600]);
    expect(rowsOf(bench)).toHaveLength(600);
    const packs = bench.store.all<ExecutionMetrics>('provider_execution_metrics');
    expect(packs.map(({ rows }) => rows.length)).toEqual([100, 100, 100, 100, 100, 100]);
  });

  it('are written by the call that comes half a minute later, of whatever key', async () => {
    const bench = openBench(settingsWith(once));
    const execution = bench.instance();
    await new Scripted(execution).execute(requestFor('acme'));
    await bench.clock.advance(29_999);
    await new Scripted(execution).execute(requestFor('globex'));
    expect(rowsOf(bench)).toEqual([]);
    await bench.clock.advance(30_001);
    await new Scripted(execution).execute(requestFor('globex'));
    expect(rowsOf(bench).map(({ tenant_id }) => tenant_id)).toContain('acme');
  });

  it('are written more rarely the more instances report', async () => {
    const bench = openBench(settingsWith({ ...once, breaker: { scope: 'none' } }));
    const { writes } = watched(bench);
    let provider = new Scripted(bench.instance());
    for (let instances = 1; instances <= 40; instances++) {
      const execution = bench.instance();
      provider = new Scripted(execution);
      await provider.execute(requestFor());
      await execution.flush();
    }
    // The last one knows of the others: all together write about every one and a half seconds.
    const before = writes(key);
    for (let second = 1; second <= 60; second++) {
      await bench.clock.advance(1_000);
      await provider.execute(requestFor());
    }
    expect(writes(key) - before).toBe(0);
    await bench.clock.advance(1_000);
    await provider.execute(requestFor());
    expect(writes(key) - before).toBe(1);
  });

  it('of a key that is called now and then are written twice a minute, however often it is looked up', async () => {
    const bench = openBench(settingsWith(once));
    const { reads, writes } = watched(bench);
    const provider = new Scripted(bench.instance());
    for (let second = 0; second < 600; second++) {
      await provider.execute(requestFor());
      await bench.clock.advance(1_000);
    }
    expect(reads(key)).toBeGreaterThanOrEqual(30);
    expect(writes(key)).toBeLessThanOrEqual(20);
    expect(rowsOf(bench).length).toBeGreaterThanOrEqual(570);
  });
});

describe('case 59: what could not be written', () => {
  it.each(['unavailable', 'lost'] as const)(
    'case 59: counts once for the breaker and for the rates (%s)',
    async (fault) => {
      const bench = openBench(settingsWith(once));
      const execution = bench.instance();
      const provider = new Scripted(execution);
      await provider.execute(requestFor());
      provider.script = failing('dependency_unavailable');
      bench.store.fault = () => fault;
      await provider.execute(requestFor());
      bench.store.fault = () => null;
      await bench.clock.advance(1_000);
      await provider.execute(requestFor());
      await execution.flush();
      await execution.flush();
      for (const of of [key, everyone]) expect(stateOf(bench, of).consecutive_failures).toBe(2);
      expect(countedIn(stateOf(bench))).toEqual({ succeeded: 1, failed: 2 });
      expect(rowsOf(bench)).toHaveLength(3);
    },
  );

  it.each(['unavailable', 'lost'] as const)(
    'case 59: is written by a later flush, however many failed in between (%s)',
    async (fault) => {
      const bench = openBench(settingsWith({ ...once, breaker: { failure_threshold: 1_000 } }));
      const execution = bench.instance();
      const provider = new Scripted(execution, inTurn(failing('timeout'), ok, failing('timeout')));
      bench.store.fault = () => fault;
      for (let i = 0; i < 6; i++) {
        await provider.execute(requestFor());
        await expect(execution.flush()).resolves.toBeUndefined();
        await bench.clock.advance(2_000);
      }
      bench.store.fault = () => null;
      await execution.flush();
      await execution.flush();
      expect(countedIn(stateOf(bench))).toEqual({ succeeded: 1, failed: 5 });
      expect(rowsOf(bench)).toHaveLength(6);
      expect(stateOf(bench).consecutive_failures).toBe(4);
      expect(bench.events.map(({ kind }) => kind)).toContainEqual(expect.stringMatching(/^store_/));
    },
  );

  it('of rows alone is written with the next document', async () => {
    const bench = openBench(settingsWith({ ...once, breaker: { failure_threshold: 1_000 } }));
    const execution = bench.instance();
    const provider = new Scripted(execution, failing('timeout'));
    await provider.execute(requestFor());
    // Within the second: only the row would be written now.
    bench.store.fault = () => 'unavailable';
    await provider.execute(requestFor());
    bench.store.fault = () => null;
    expect(rowsOf(bench)).toHaveLength(1);
    await execution.flush();
    expect(rowsOf(bench)).toHaveLength(2);
    expect(stateOf(bench).consecutive_failures).toBe(2);
  });

  it('of a row whose acknowledgement was lost is the same row again', async () => {
    const bench = openBench(settingsWith({ ...once, breaker: { failure_threshold: 1_000 } }));
    const execution = bench.instance();
    const provider = new Scripted(execution, failing('timeout'));
    await provider.execute(requestFor());
    bench.store.fault = () => 'lost';
    await provider.execute(requestFor());
    expect(rowsOf(bench)).toHaveLength(2);
    bench.store.fault = () => null;
    await execution.flush();
    expect(rowsOf(bench)).toHaveLength(2);
    expect(countedIn(stateOf(bench)).failed).toBe(2);
  });

  it('is bounded: beyond a thousand successes the oldest are dropped, and that is told', async () => {
    const bench = openBench(settingsWith(once));
    const execution = bench.instance();
    const provider = new Scripted(execution);
    bench.store.fault = () => 'unavailable';
    for (let i = 0; i < 2_600; i++) {
      await provider.execute(requestFor());
      await bench.clock.advance(100);
    }
    const dropped = bench.events
      .filter((event) => event.kind === 'attempts_dropped')
      .reduce((sum, { count }) => sum + count, 0);
    expect(dropped).toBeGreaterThan(0);
    bench.store.fault = () => null;
    await execution.flush();
    await execution.flush();
    expect(rowsOf(bench)).toHaveLength(2_600 - dropped);
    // They are missing from the list only: they were counted.
    expect(countedIn(stateOf(bench)).succeeded).toBe(2_600);
  });
});

describe('case 17: clocks that differ', () => {
  const openUntil = (openUntilMs: number): Breaker => ({
    ...CLOSED,
    state: 'open',
    epoch: 3,
    consecutiveFailures: 5,
    openUntilMs,
  });

  it('case 17: a cooldown from a clock an hour ahead lasts its own length twice at most, not an hour', async () => {
    const bench = openBench(settingsWith(once));
    await stored(bench, openUntil(bench.clock.nowMs() + HOUR_MS));
    const provider = new Scripted(bench.instance());
    const startMs = bench.clock.nowMs();
    expect(await provider.execute(requestFor())).toMatchObject({
      status: 'deferred',
      retryAt: new Date(startMs + 60_000),
    });
    // Bounded once for this instance, and once more in the store by whoever first asks to probe.
    for (let second = 1; second < 60; second++) {
      await bench.clock.advance(1_000);
      expect(await provider.execute(requestFor())).toMatchObject({
        status: 'deferred',
        retryAt: new Date(startMs + 60_000),
      });
    }
    await bench.clock.advance(1_000);
    await provider.execute(requestFor());
    await bench.clock.advance(60_000);
    expect(await provider.execute(requestFor())).toMatchObject({ status: 'succeeded' });
    expect(stateOf(bench)).toMatchObject({ breaker_state: 'closed', breaker: { epoch: 5 } });
  });

  it('case 17: a pause from a clock a day ahead lasts the longest cooldown', async () => {
    const bench = openBench(settingsWith(once));
    await stored(bench, { ...CLOSED, notBeforeMs: bench.clock.nowMs() + 24 * HOUR_MS });
    const provider = new Scripted(bench.instance());
    const startMs = bench.clock.nowMs();
    for (let minute = 0; minute < 10; minute++) {
      expect(await provider.execute(requestFor())).toMatchObject({
        status: 'deferred',
        retryAt: new Date(startMs + 600_000),
        failure: { reasonCode: 'rate_limited' },
      });
      await bench.clock.advance(60_000);
    }
    expect(await provider.execute(requestFor())).toMatchObject({ status: 'succeeded' });
  });

  it('case 17: an instance an hour ahead does not probe early: the store says what time it is', async () => {
    const bench = openBench(settingsWith(once));
    await stored(bench, openUntil(bench.clock.nowMs() + 40_000));
    const provider = new Scripted(instanceAheadBy(bench, HOUR_MS));
    for (let second = 0; second < 40; second++) {
      expect(await provider.execute(requestFor())).toMatchObject({
        status: 'deferred',
        // By its own clock.
        retryAt: new Date(bench.clock.nowMs() + HOUR_MS + 40_000 - second * 1_000),
      });
      await bench.clock.advance(1_000);
    }
    expect(provider.calls).toBe(0);
    expect(await provider.execute(requestFor())).toMatchObject({ status: 'succeeded' });
  });

  it('case 17: an instance an hour behind waits for a cooldown, not for an hour', async () => {
    const bench = openBench(settingsWith(once));
    await stored(bench, openUntil(bench.clock.nowMs() + 40_000));
    const provider = new Scripted(instanceAheadBy(bench, -HOUR_MS));
    expect(await provider.execute(requestFor())).toMatchObject({
      status: 'deferred',
      retryAt: new Date(bench.clock.nowMs() - HOUR_MS + 60_000),
    });
    await bench.clock.advance(60_000);
    expect(await provider.execute(requestFor())).toMatchObject({ status: 'succeeded' });
  });

  it.each([HOUR_MS, -HOUR_MS])(
    'case 17: what an instance %i ms ahead opens, others see open for a cooldown',
    async (aheadMs) => {
      const bench = openBench(settingsWith(once));
      const skewed = new Scripted(instanceAheadBy(bench, aheadMs), failing('timeout'));
      for (let i = 0; i < 5; i++) await skewed.execute(requestFor());
      expect(stateOf(bench).breaker.open_until).toBe(
        new Date(bench.clock.nowMs() + 60_000).toISOString(),
      );
      expect(await new Scripted(bench.instance()).execute(requestFor())).toMatchObject({
        status: 'deferred',
        retryAt: new Date(bench.clock.nowMs() + 60_000),
      });
    },
  );
});

describe('a breaker that an operator forced open', () => {
  it('is looked up every fifteen seconds, and its release noticed by then', async () => {
    const bench = openBench(settingsWith(once));
    await stored(bench, forceOpen(CLOSED));
    const { reads } = watched(bench);
    const provider = new Scripted(bench.instance());
    for (let second = 0; second <= 60; second++) {
      expect(await provider.execute(requestFor())).toMatchObject({
        status: 'deferred',
        failure: { reasonCode: 'circuit_open' },
        retryAt: new Date(bench.clock.nowMs() + 60_000),
      });
      await bench.clock.advance(1_000);
    }
    // At 0, 15, … 60 s.
    expect(reads(key)).toBe(5);
    await stored(bench, { ...CLOSED, epoch: 2 });
    await bench.clock.advance(14_000);
    expect(await provider.execute(requestFor())).toMatchObject({ status: 'succeeded' });
    expect(provider.calls).toBe(1);
  });

  it('for all tenants is looked up every minute', async () => {
    const bench = openBench(settingsWith(once));
    const { reads } = watched(bench);
    const provider = new Scripted(bench.instance());
    await provider.execute(requestFor());
    await stored(bench, forceOpen(CLOSED), everyone);
    // It had been known as closed.
    await bench.clock.advance(60_000);
    await provider.execute(requestFor());
    const known = reads(everyone);
    for (let second = 1; second <= 120; second++) {
      await bench.clock.advance(1_000);
      expect(await provider.execute(requestFor())).toMatchObject({ status: 'deferred' });
    }
    expect(reads(everyone) - known).toBe(2);
    await stored(bench, { ...CLOSED, epoch: 2 }, everyone);
    await bench.clock.advance(60_000);
    expect(await provider.execute(requestFor())).toMatchObject({ status: 'succeeded' });
  });
});

describe('a breaker that others probe', () => {
  const opened = async (bench: Bench): Promise<void> => {
    const provider = new Scripted(bench.instance(), failing('dependency_unavailable'));
    for (let i = 0; i < 5; i++) await provider.execute(requestFor());
    await bench.clock.advance(60_000);
  };

  /** One instance probes until `release`; another is refused meanwhile. */
  async function probing() {
    const bench = openBench(settingsWith(once));
    await opened(bench);
    const answer = Promise.withResolvers<string>();
    const prober = new Scripted(bench.instance(), () => answer.promise);
    const probe = prober.execute(requestFor());
    await bench.clock.advance(1);
    const waiting = new Scripted(bench.instance());
    expect(await waiting.execute(requestFor())).toMatchObject({
      status: 'deferred',
      retryAt: new Date(bench.clock.nowMs() + 5_000),
    });
    return { bench, answer, probe, waiting };
  }

  it('is looked up each second, and no more often', async () => {
    const { bench, answer, probe, waiting } = await probing();
    const { reads } = watched(bench);
    for (let i = 0; i < 50; i++) {
      await bench.clock.advance(100);
      expect(await waiting.execute(requestFor())).toMatchObject({ status: 'deferred' });
    }
    expect(reads(key)).toBe(5);
    answer.resolve('ok');
    await probe;
    await bench.clock.advance(1_000);
    expect(await waiting.execute(requestFor())).toMatchObject({ status: 'succeeded' });
  });

  it('and that failed again is known to be open a second later, for a longer cooldown', async () => {
    const { bench, answer, probe, waiting } = await probing();
    answer.reject(new Error('still down'));
    expect(await probe).toMatchObject({ status: 'failed' });
    const reopenedMs = bench.clock.nowMs();
    await bench.clock.advance(1_000);
    expect(await waiting.execute(requestFor())).toMatchObject({
      status: 'deferred',
      retryAt: new Date(reopenedMs + 120_000),
    });
    expect(waiting.calls).toBe(0);
  });
});

describe('a pause that a provider asks for', () => {
  const limited = (retryAfterMs: number) => failing('rate_limited', { retryAfterMs });

  it('is shared at once: another instance keeps it, too', async () => {
    const bench = openBench(settingsWith(once));
    const untilMs = bench.clock.nowMs() + 45_000;
    await new Scripted(bench.instance(), limited(45_000)).execute(requestFor());
    const other = new Scripted(bench.instance());
    expect(await other.execute(requestFor())).toMatchObject({
      status: 'deferred',
      failure: { reasonCode: 'rate_limited', errorType: 'ProviderRateLimitError' },
      retryAt: new Date(untilMs),
    });
    await bench.clock.advance(44_999);
    expect(await other.execute(requestFor())).toMatchObject({ status: 'deferred' });
    await bench.clock.advance(1);
    expect(await other.execute(requestFor())).toMatchObject({ status: 'succeeded' });
  });

  it('is neither a failure of the provider nor an end of its failures', async () => {
    const bench = openBench(settingsWith(once));
    const execution = bench.instance();
    const provider = new Scripted(execution, failing('timeout'));
    for (let i = 0; i < 4; i++) await provider.execute(requestFor());
    for (let i = 0; i < 10; i++) {
      provider.script = limited(1_000);
      expect(await provider.execute(requestFor())).toMatchObject({ status: 'failed' });
      await bench.clock.advance(1_000);
    }
    await execution.flush();
    expect(stateOf(bench)).toMatchObject({ breaker_state: 'closed', consecutive_failures: 4 });
    provider.script = failing('timeout');
    await provider.execute(requestFor());
    expect(stateOf(bench).breaker_state).toBe('open');
  });

  it('of several holds the latest, and none beyond ten minutes', async () => {
    const bench = openBench(settingsWith(once));
    const startMs = bench.clock.nowMs();
    const [one, other] = [new Scripted(bench.instance()), new Scripted(bench.instance())];
    for (const provider of [one, other]) await provider.execute(requestFor());
    one.script = limited(HOUR_MS);
    other.script = limited(30_000);
    await Promise.all([one.execute(requestFor()), other.execute(requestFor())]);
    for (const provider of [one, other, new Scripted(bench.instance())])
      expect(await provider.execute(requestFor())).toMatchObject({
        retryAt: new Date(startMs + 600_000),
      });
  });

  it('does not end because an earlier call succeeds', async () => {
    const bench = openBench(settingsWith(once));
    const provider = new Scripted(bench.instance());
    const answer = Promise.withResolvers<string>();
    provider.script = () => answer.promise;
    const early = provider.execute(requestFor());
    await bench.clock.advance(1);
    provider.script = limited(20_000);
    await provider.execute(requestFor());
    answer.resolve('ok');
    expect(await early).toMatchObject({ status: 'succeeded' });
    expect(await provider.execute(requestFor())).toMatchObject({ status: 'deferred' });
  });
});

describe('a breaker that travels on another document', () => {
  const settings = settingsWith({ ...once, breaker: { scope: 'provider' } });
  const place = ref(matches, aMatch().provider_id);

  /** A request that has just read the document, as a delivery has. */
  async function requestOf(bench: Bench, tenantId = 'acme'): Promise<ExecutionRequest<unknown>> {
    return requestFor(tenantId, { breakerHome: breakerHome(await matchOf(bench)) });
  }

  async function matchOf({ store }: Bench): Promise<Match> {
    const match = await store.get(place);
    if (!match) throw new Error('there is no match document');
    return match;
  }

  async function open() {
    const bench = openBench(settings);
    await bench.store.write([set(place, aMatch({ name: 'as it was' }))]);
    return bench;
  }

  const failed = async (bench: Bench, provider: Scripted, times: number): Promise<void> => {
    provider.script = failing('connection_error');
    for (let i = 0; i < times; i++) await provider.execute(await requestOf(bench));
    provider.script = ok;
  };

  it('is written there and in the health state in one commit, and nothing else of it changes', async () => {
    const bench = await open();
    const { breaker: _, ...before } = await matchOf(bench);
    await failed(bench, new Scripted(bench.instance()), 5);
    const { breaker, ...after } = await matchOf(bench);
    expect(after).toEqual(before);
    expect(breaker).toMatchObject({ breaker_state: 'open', consecutive_failures: 5 });
    expect(stateOf(bench, everyone)).toMatchObject({
      breaker_state: 'open',
      breaker: { open_until: new Date(bench.clock.nowMs() + 60_000).toISOString() },
    });
  });

  it('costs a call nothing beyond that document, whether it succeeds or is refused', async () => {
    const bench = await open();
    const provider = new Scripted(bench.instance());
    const request = await requestOf(bench);
    const nothing = { reads: 0, writes: 0 };
    expect(await bench.store.cost(() => provider.execute(request))).toEqual(nothing);
    await failed(bench, provider, 5);
    const refused = await requestOf(bench);
    const fresh = new Scripted(bench.instance());
    expect(await bench.store.cost(() => fresh.execute(refused))).toEqual(nothing);
    expect(fresh.calls).toBe(0);
  });

  it('is one for all tenants: what one fails, another is refused', async () => {
    const bench = await open();
    const provider = new Scripted(bench.instance());
    await failed(bench, provider, 5);
    expect(await provider.execute(await requestOf(bench, 'globex'))).toMatchObject({
      status: 'deferred',
      failure: { reasonCode: 'circuit_open' },
    });
    expect(bench.store.all<ProviderHealthState>('provider_health_states')).toEqual(
      expect.arrayContaining([expect.objectContaining({ tenant_id: '*' })]),
    );
  });

  it('is learned from that document by the first call of a tenant, too, where another called before', async () => {
    const bench = await open();
    const provider = new Scripted(bench.instance());
    await provider.execute(await requestOf(bench));
    await failed(bench, new Scripted(bench.instance()), 5);
    const calls = provider.calls;
    expect(await provider.execute(await requestOf(bench, 'globex'))).toMatchObject({
      status: 'deferred',
      failure: { reasonCode: 'circuit_open' },
    });
    expect(provider.calls).toBe(calls);
  });

  it('is reset there by the first success, and left alone by further ones', async () => {
    const bench = await open();
    const provider = new Scripted(bench.instance());
    await failed(bench, provider, 4);
    await bench.clock.advance(1_000);
    await provider.execute(await requestOf(bench));
    expect((await matchOf(bench)).breaker?.consecutive_failures).toBe(0);
    expect(stateOf(bench, everyone).consecutive_failures).toBe(0);
    const request = await requestOf(bench);
    expect(await bench.store.cost(() => provider.execute(request))).toEqual({
      reads: 0,
      writes: 0,
    });
    // The count has begun anew.
    await failed(bench, provider, 4);
    expect((await matchOf(bench)).breaker?.breaker_state).toBe('closed');
  });

  it('closes there after one probe, whoever makes it', async () => {
    const bench = await open();
    await failed(bench, new Scripted(bench.instance()), 5);
    await bench.clock.advance(60_000);
    const providers = Array.from({ length: 5 }, () => new Scripted(bench.instance()));
    const request = await requestOf(bench);
    const results = await Promise.all(providers.map((provider) => provider.execute(request)));
    const statuses = results.map(({ status }) => status);
    expect(statuses.filter((status) => status === 'succeeded')).toHaveLength(1);
    expect(statuses.filter((status) => status === 'deferred')).toHaveLength(4);
    expect((await matchOf(bench)).breaker).toMatchObject({ breaker_state: 'closed' });
    const next = await requestOf(bench);
    for (const provider of providers)
      expect(await provider.execute(next)).toMatchObject({ status: 'succeeded' });
  });

  it('case 17: bounds a time far ahead once, however often the document is read', async () => {
    const bench = await open();
    const startMs = bench.clock.nowMs();
    const { write } = breakerHome(aMatch());
    const far: Breaker = { ...CLOSED, state: 'open', epoch: 3, openUntilMs: startMs + HOUR_MS };
    const match = write((await matchOf(bench)) as never, far, new Date(startMs)) as Match;
    await bench.store.write([set(place, match)]);
    const provider = new Scripted(bench.instance());
    for (let second = 0; second < 60; second++) {
      expect(await provider.execute(await requestOf(bench))).toMatchObject({
        status: 'deferred',
        retryAt: new Date(startMs + 60_000),
      });
      await bench.clock.advance(1_000);
    }
    await provider.execute(await requestOf(bench));
    await bench.clock.advance(60_000);
    expect(await provider.execute(await requestOf(bench))).toMatchObject({ status: 'succeeded' });
  });

  it('goes by the health state where the document is gone', async () => {
    const bench = await open();
    const request = await requestOf(bench);
    bench.store.docs.delete(place.path);
    const provider = new Scripted(bench.instance(), failing('connection_error'));
    for (let i = 0; i < 5; i++) {
      await provider.execute(request);
      await bench.clock.advance(1_000);
    }
    expect(stateOf(bench, everyone).breaker_state).toBe('open');
    expect(bench.store.docs.has(place.path)).toBe(false);
  });
});
