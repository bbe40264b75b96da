import { describe, expect, it } from 'vitest';

import type { ProviderHealthState } from '../../../shared/execution/health.ts';
import type { ExecutionMetrics } from '../../../shared/execution/metrics.ts';
import type { QuotaState } from '../../../shared/execution/quota.ts';
import type { ProviderExecutionResult } from '../../../shared/execution/result.ts';
import {
  Scripted,
  failing,
  inTurn,
  openBench,
  requestFor,
  settingsWith,
} from './support/scripted.ts';

const once = { retry: { max_attempts: 1 } };
const ok = () => Promise.resolve('ok');

const quotaOf = (minute: number) =>
  [
    {
      provider: 'scripted',
      capability: 'testing',
      limits: { minute, time_zone: 'UTC', outage: 'refuse', outage_allowance: 10 },
    },
  ] as const;

const outcomesOf = ({ attempts }: ProviderExecutionResult<unknown>) =>
  attempts.map(({ outcome, reasonCode }) => [outcome, reasonCode]);

/** Calls until the breaker opens: five failures of one tenant, by default settings. */
async function openBreaker(provider: Scripted): Promise<void> {
  const script = provider.script;
  provider.script = failing('dependency_unavailable');
  for (let i = 0; i < 5; i++) await provider.execute(requestFor());
  provider.script = script;
}

describe('an execution', () => {
  it('returns the value of a call that succeeds, with its one attempt', async () => {
    const bench = openBench();
    const provider = new Scripted(bench.instance());
    const result = await provider.execute(requestFor('acme', { correlationId: 'c-1' }));
    expect(result).toMatchObject({
      status: 'succeeded',
      value: 'ok',
      correlationId: 'c-1',
      idempotencyKey: 'c-1',
      attempts: [{ attemptNumber: 1, outcome: 'success', reasonCode: null, durationMs: 0 }],
    });
  });

  it('makes ids of its own where it is given none', async () => {
    const bench = openBench();
    const provider = new Scripted(bench.instance());
    const [a, b] = [await provider.execute(requestFor()), await provider.execute(requestFor())];
    expect(a.correlationId).not.toBe(b.correlationId);
    expect(a.idempotencyKey).toBe(a.correlationId);
  });

  it('case 13: a synchronous throw, a plain value and undefined are taken as they are', async () => {
    const bench = openBench(settingsWith(once));
    const provider = new Scripted(bench.instance());
    provider.script = () => {
      throw new TypeError('thrown before any promise');
    };
    expect(await provider.execute(requestFor())).toMatchObject({
      status: 'failed',
      failure: { reasonCode: 'internal_error', errorType: 'ProviderInternalError' },
    });
    provider.script = () => 7;
    expect(await provider.execute(requestFor())).toMatchObject({ status: 'succeeded', value: 7 });
    provider.script = () => undefined;
    expect(await provider.execute(requestFor())).toMatchObject({
      status: 'succeeded',
      value: undefined,
    });
  });

  it('case 14: a listener that throws corrupts nothing', async () => {
    const bench = openBench(settingsWith(once));
    bench.events.push = () => {
      throw new Error('a listener fails');
    };
    const provider = new Scripted(bench.instance());
    await openBreaker(provider);
    expect(await provider.execute(requestFor())).toMatchObject({
      status: 'deferred',
      failure: { reasonCode: 'circuit_open' },
    });
    await bench.clock.advance(60_000);
    expect(await provider.execute(requestFor())).toMatchObject({ status: 'succeeded' });
  });

  it('case 34: the attempts of concurrent calls are not mixed', async () => {
    const bench = openBench();
    const provider = new Scripted(bench.instance());
    const failures = new Map<string, number>();
    provider.script = async ({ correlationId }) => {
      const times = failures.get(correlationId) ?? 0;
      failures.set(correlationId, times + 1);
      if (times < Number(correlationId)) await failing('timeout')(undefined as never);
      return correlationId;
    };
    const results = await bench.during(
      Promise.all(
        ['0', '1', '2'].map((correlationId) =>
          provider.execute(requestFor('acme', { correlationId })),
        ),
      ),
    );
    expect(results.map(({ attempts }) => attempts.length)).toEqual([1, 2, 3]);
    expect(results.map((result) => result.status === 'succeeded' && result.value)).toEqual([
      '0',
      '1',
      '2',
    ]);
  });
});

describe('retries', () => {
  it('case 24: max_attempts counts calls, the first included; 1 means no retry', async () => {
    for (const max_attempts of [1, 2, 3]) {
      const bench = openBench(settingsWith({ retry: { max_attempts } }));
      const provider = new Scripted(bench.instance(), failing('timeout'));
      const result = await bench.during(provider.execute(requestFor()));
      expect(provider.calls).toBe(max_attempts);
      expect(result).toMatchObject({ status: 'failed', retryAt: null });
    }
  });

  it('case 26: a failure that no retry mends stops at once', async () => {
    const bench = openBench();
    const provider = new Scripted(bench.instance(), failing('bad_request'));
    const result = await provider.execute(requestFor());
    expect(outcomesOf(result)).toEqual([['failed', 'bad_request']]);
  });

  it('case 27: a retryable failure and then another kind stops with the second', async () => {
    const bench = openBench();
    const script = inTurn(failing('timeout'), failing('auth_failed'));
    const provider = new Scripted(bench.instance(), script);
    const result = await bench.during(provider.execute(requestFor()));
    expect(outcomesOf(result)).toEqual([
      ['retry', 'timeout'],
      ['failed', 'auth_failed'],
    ]);
    expect(result).toMatchObject({ failure: { reasonCode: 'auth_failed' } });
  });

  it('says that the last attempt goes to the dead letters, if it does', async () => {
    const bench = openBench();
    const provider = new Scripted(bench.instance(), failing('auth_failed'));
    const result = await provider.execute(requestFor('acme', { deadLetters: true }));
    expect(outcomesOf(result)).toEqual([['dead_letter', 'auth_failed']]);
  });

  it('counts the attempts of earlier executions of the same task', async () => {
    const bench = openBench();
    const provider = new Scripted(bench.instance(), failing('timeout'));
    const result = await provider.execute(requestFor('acme', { attemptsBefore: 2 }));
    expect(result).toMatchObject({
      status: 'failed',
      retryAt: null,
      attempts: [{ attemptNumber: 3, outcome: 'failed' }],
    });
  });

  it('case 28: a Retry-After longer than what is left sleeps not and says when', async () => {
    const bench = openBench();
    const provider = new Scripted(
      bench.instance(),
      failing('rate_limited', { retryAfterMs: 45_000 }),
    );
    const startMs = bench.clock.nowMs();
    const result = await provider.execute(requestFor());
    expect(provider.calls).toBe(1);
    expect(result).toMatchObject({ status: 'failed', retryAt: new Date(startMs + 45_000) });
  });

  it('leaves a wait of more than two seconds to its caller', async () => {
    const bench = openBench(settingsWith({ retry: { base_delay_s: 2.5 } }));
    const provider = new Scripted(bench.instance(), failing('timeout'));
    const result = await provider.execute(requestFor());
    expect(result).toMatchObject({
      status: 'failed',
      retryAt: new Date(bench.clock.nowMs() + 2_500),
      attempts: [{ outcome: 'retry' }],
    });
  });

  it('case 29: a call that is cancelled before it starts makes no call', async () => {
    const bench = openBench();
    const provider = new Scripted(bench.instance());
    const result = await provider.execute(requestFor('acme', { signal: AbortSignal.abort() }));
    expect(provider.calls).toBe(0);
    expect(result).toMatchObject({ status: 'cancelled', attempts: [] });
  });

  it('case 29: a cancel during the call ends it, and aborts what the provider does', async () => {
    const bench = openBench();
    const controller = new AbortController();
    let seen: AbortSignal | undefined;
    const provider = new Scripted(bench.instance(), ({ signal }) => {
      seen = signal;
      return new Promise(() => undefined);
    });
    const running = provider.execute(requestFor('acme', { signal: controller.signal }));
    await bench.clock.advance(10);
    controller.abort();
    expect(await running).toMatchObject({
      status: 'cancelled',
      failure: { reasonCode: null },
      attempts: [{ outcome: 'failed', reasonCode: null }],
    });
    expect(seen?.aborted).toBe(true);
    expect(seen?.reason).toMatchObject({ name: 'AbortError' });
  });

  it('case 29: a cancel by the attempt itself ends it, whatever becomes of the attempt', async () => {
    const bench = openBench();
    const controller = new AbortController();
    const provider = new Scripted(bench.instance());
    await provider.execute(requestFor());
    provider.script = () => {
      controller.abort();
      return new Promise(() => undefined);
    };
    const running = provider.execute(requestFor('acme', { signal: controller.signal }));
    await bench.clock.advance(60_000);
    expect(await Promise.race([running, Promise.resolve('still running')])).toMatchObject({
      status: 'cancelled',
      attempts: [{ outcome: 'failed', reasonCode: null }],
    });
  });

  it('case 29: a cancel during the wait settles without the clock moving, and calls no more', async () => {
    const bench = openBench();
    const controller = new AbortController();
    const provider = new Scripted(bench.instance(), failing('timeout'));
    const running = provider.execute(requestFor('acme', { signal: controller.signal }));
    await bench.clock.advance(100);
    expect(provider.calls).toBe(1);
    controller.abort();
    expect(await running).toMatchObject({ status: 'cancelled' });
    await bench.clock.advance(10_000);
    expect(provider.calls).toBe(1);
  });

  it('case 30: a budget that would end in the wait starts none', async () => {
    const bench = openBench(settingsWith({ timeout_budget_s: 1, retry: { base_delay_s: 0.6 } }));
    const provider = new Scripted(bench.instance(), async () => {
      await new Promise<void>((done) => bench.clock.at(bench.clock.nowMs() + 500, done));
      return failing('timeout')(undefined as never);
    });
    const result = await bench.during(provider.execute(requestFor()));
    expect(provider.calls).toBe(1);
    expect(result).toMatchObject({ status: 'failed', attempts: [{ outcome: 'retry' }] });
  });

  it('case 30: a budget that ends in an attempt aborts it, and its late result is ignored', async () => {
    const bench = openBench(settingsWith({ ...once, timeout_budget_s: 1 }));
    let seen: AbortSignal | undefined;
    let late: (() => void) | undefined;
    const provider = new Scripted(bench.instance());
    await provider.execute(requestFor());
    provider.script = ({ signal }) => {
      seen = signal;
      return new Promise((_, reject) => (late = () => reject(new Error('much later'))));
    };
    const result = await bench.during(provider.execute(requestFor()), 500);
    expect(result).toMatchObject({
      status: 'failed',
      failure: { reasonCode: 'timeout', errorType: 'ProviderTimeoutError' },
      attempts: [{ durationMs: 1_000, reasonCode: 'timeout' }],
    });
    expect(seen?.reason).toMatchObject({ name: 'TimeoutError' });
    // An unhandled rejection would fail the run.
    late?.();
    await bench.clock.advance(1);
  });

  it('case 31: what its caller cancels is no timeout and no failure of the provider', async () => {
    const bench = openBench();
    const provider = new Scripted(bench.instance(), () => new Promise(() => undefined));
    for (let i = 0; i < 10; i++) {
      const controller = new AbortController();
      const running = provider.execute(requestFor('acme', { signal: controller.signal }));
      await bench.clock.advance(1);
      controller.abort();
      expect(await running).toMatchObject({ status: 'cancelled' });
    }
    provider.script = ok;
    expect(await provider.execute(requestFor())).toMatchObject({ status: 'succeeded' });
    const health = bench.store.all<ProviderHealthState>('provider_health_states');
    expect(health.every(({ breaker_state }) => breaker_state === 'closed')).toBe(true);
  });

  it('case 32: a breaker that other calls open during the wait stops the loop', async () => {
    const bench = openBench();
    const execution = bench.instance();
    const waiting = new Scripted(execution, failing('timeout'));
    const running = waiting.execute(requestFor());
    await bench.clock.advance(1);
    const others = new Scripted(execution, failing('internal_error'));
    for (let i = 0; i < 5; i++) await others.execute(requestFor());
    const result = await bench.during(running);
    expect(waiting.calls).toBe(1);
    expect(result).toMatchObject({
      status: 'deferred',
      failure: { reasonCode: 'circuit_open' },
      attempts: [{ outcome: 'retry', reasonCode: 'timeout' }],
    });
  });

  it('case 33: with its retry budget spent, a key retries no more until successes refill it', async () => {
    const bench = openBench(
      settingsWith({ retry: { budget_tokens: 4 }, breaker: { scope: 'none' } }),
    );
    const provider = new Scripted(bench.instance(), failing('timeout'));
    // Two retryable failures leave half of the tokens: then each call is made once.
    await bench.during(provider.execute(requestFor()));
    expect(provider.calls).toBe(2);
    expect(await provider.execute(requestFor())).toMatchObject({
      status: 'failed',
      retryAt: expect.any(Date),
    });
    expect(provider.calls).toBe(3);
    provider.script = ok;
    for (let i = 0; i < 20; i++) await provider.execute(requestFor());
    provider.script = failing('timeout');
    const before = provider.calls;
    await bench.during(provider.execute(requestFor()));
    expect(provider.calls - before).toBeGreaterThan(1);
  });

  it('case 35: a delay of zero needs no timer', async () => {
    const bench = openBench(settingsWith({ retry: { base_delay_s: 0 } }));
    const provider = new Scripted(bench.instance(), failing('timeout'));
    const result = await provider.execute(requestFor());
    expect(result.attempts).toHaveLength(3);
  });
});

describe('a store that hangs', () => {
  const hang = (bench: ReturnType<typeof openBench>): (() => void) => {
    let release = () => {};
    bench.store.held = new Promise((done) => (release = done));
    return release;
  };

  it('takes no more than the budget, and what it grants too late is given back', async () => {
    const bench = openBench(
      settingsWith({ ...once, timeout_budget_s: 2, quotas: [...quotaOf(1)] }),
    );
    const provider = new Scripted(bench.instance());
    const release = hang(bench);
    const startMs = bench.clock.nowMs();
    expect(await bench.during(provider.execute(requestFor()))).toMatchObject({
      status: 'failed',
      failure: { reasonCode: 'timeout' },
      attempts: [],
    });
    expect(bench.clock.nowMs() - startMs).toBeLessThanOrEqual(2_100);
    expect(provider.calls).toBe(0);
    release();
    await bench.clock.advance(1);
    // The only unit of this minute.
    expect(await bench.during(provider.execute(requestFor()))).toMatchObject({
      status: 'succeeded',
    });
  });

  it('holds an answer back for no longer than five seconds, and loses nothing', async () => {
    const bench = openBench(settingsWith(once));
    const execution = bench.instance();
    const provider = new Scripted(execution);
    await provider.execute(requestFor());
    provider.script = failing('bad_request');
    const release = hang(bench);
    const startMs = bench.clock.nowMs();
    expect(await bench.during(provider.execute(requestFor()))).toMatchObject({ status: 'failed' });
    expect(bench.clock.nowMs() - startMs).toBeLessThanOrEqual(5_100);
    release();
    await execution.flush();
    const rows = bench.store
      .all<ExecutionMetrics>('provider_execution_metrics')
      .flatMap((doc) => doc.rows);
    expect(rows.map(({ outcome }) => outcome).sort()).toEqual(['failed', 'success']);
  });

  it('does not keep a caller that leaves', async () => {
    const bench = openBench(settingsWith(once));
    const provider = new Scripted(bench.instance());
    const release = hang(bench);
    const controller = new AbortController();
    const running = provider.execute(requestFor('acme', { signal: controller.signal }));
    await bench.clock.advance(1);
    controller.abort();
    expect(await running).toMatchObject({ status: 'cancelled', attempts: [] });
    release();
  });
});

describe('the breaker of an instance', () => {
  it('case 3: refuses without a call while it is open, and says when to come again', async () => {
    const bench = openBench(settingsWith(once));
    const provider = new Scripted(bench.instance());
    await openBreaker(provider);
    const before = provider.calls;
    const result = await provider.execute(requestFor());
    expect(provider.calls).toBe(before);
    expect(result).toMatchObject({
      status: 'deferred',
      retryAt: new Date(bench.clock.nowMs() + 60_000),
      failure: { reasonCode: 'circuit_open', errorType: 'ProviderCircuitOpenError' },
      attempts: [],
    });
  });

  it('takes one sample of each execution, however many attempts it makes', async () => {
    const bench = openBench();
    const provider = new Scripted(bench.instance(), failing('timeout'));
    for (let i = 0; i < 4; i++) await bench.during(provider.execute(requestFor()));
    expect(provider.calls).toBe(12);
    provider.script = ok;
    expect(await provider.execute(requestFor())).toMatchObject({ status: 'succeeded' });
  });

  it('gives a probe one attempt', async () => {
    const bench = openBench();
    const provider = new Scripted(bench.instance());
    provider.script = failing('internal_error');
    for (let i = 0; i < 5; i++) await provider.execute(requestFor());
    await bench.clock.advance(60_000);
    provider.script = failing('timeout');
    const before = provider.calls;
    const result = await bench.during(provider.execute(requestFor()));
    expect(provider.calls - before).toBe(1);
    expect(result).toMatchObject({ status: 'failed', attempts: [{ outcome: 'retry' }] });
    expect(await provider.execute(requestFor())).toMatchObject({ status: 'deferred' });
  });

  it('case 11: a cancelled probe frees its slot and closes nothing', async () => {
    const bench = openBench(settingsWith(once));
    const provider = new Scripted(bench.instance());
    await openBreaker(provider);
    await bench.clock.advance(60_000);
    const controller = new AbortController();
    provider.script = () => new Promise(() => undefined);
    const probing = provider.execute(requestFor('acme', { signal: controller.signal }));
    await bench.clock.advance(1);
    expect(await provider.execute(requestFor())).toMatchObject({ status: 'deferred' });
    controller.abort();
    await probing;
    const [state] = bench.store
      .all<ProviderHealthState>('provider_health_states')
      .filter(({ tenant_id }) => tenant_id === 'acme');
    expect(state).toMatchObject({ breaker_state: 'half_open', breaker: { probes: {} } });
    provider.script = ok;
    expect(await provider.execute(requestFor())).toMatchObject({ status: 'succeeded' });
  });

  it('case 20: with the store down it still opens, half-opens and closes, and throws nothing', async () => {
    const bench = openBench(settingsWith(once));
    const provider = new Scripted(bench.instance());
    bench.store.fault = () => 'unavailable';
    await openBreaker(provider);
    expect(await provider.execute(requestFor())).toMatchObject({ status: 'deferred' });
    await bench.clock.advance(60_000);
    expect(await provider.execute(requestFor())).toMatchObject({ status: 'succeeded' });
    expect(await provider.execute(requestFor())).toMatchObject({ status: 'succeeded' });
    expect(bench.events.some(({ kind }) => kind === 'store_unavailable')).toBe(true);
  });

  it('case 20: what was counted while the store was down is written when it is back', async () => {
    const bench = openBench(settingsWith({ ...once, telemetry: { flush_after_s: 1 } }));
    const execution = bench.instance();
    const provider = new Scripted(execution);
    bench.store.fault = () => 'unavailable';
    provider.script = inTurn(failing('bad_request'), ok);
    for (let i = 0; i < 3; i++) {
      await provider.execute(requestFor());
      await bench.clock.advance(2_000);
    }
    bench.store.fault = () => null;
    await provider.execute(requestFor());
    await provider.execute(requestFor());
    await execution.flush();
    const rows = bench.store
      .all<ExecutionMetrics>('provider_execution_metrics')
      .flatMap((doc) => doc.rows);
    expect(rows.map(({ outcome }) => outcome).sort()).toEqual([
      'failed',
      'success',
      'success',
      'success',
      'success',
    ]);
  });

  it('case 22: a refusal is the same plain value each time: nothing grows', async () => {
    const bench = openBench(settingsWith(once));
    const provider = new Scripted(bench.instance());
    await openBreaker(provider);
    const first = await provider.execute(requestFor());
    for (let i = 0; i < 1_000; i++) await provider.execute(requestFor());
    const last = await provider.execute(requestFor());
    expect(JSON.stringify({ ...last, correlationId: '', idempotencyKey: '' })).toBe(
      JSON.stringify({ ...first, correlationId: '', idempotencyKey: '' }),
    );
  });

  it('case 23: keys that are not used any more are forgotten, and none leaves a timer', async () => {
    const bench = openBench();
    const execution = bench.instance();
    const provider = new Scripted(execution);
    const { reads } = await bench.store.cost(() => provider.execute(requestFor('first')));
    expect(reads).toBeGreaterThan(0);
    for (let i = 0; i < 2_500; i++) {
      await provider.execute(requestFor(`tenant-${i}`));
      if (i % 100 === 0) await execution.flush();
    }
    await execution.flush();
    for (let i = 0; i < 1_000; i++) await provider.execute(requestFor(`later-${i}`));
    // Forgotten: it has to be read again, at the same time of the clock.
    const again = await bench.store.cost(() => provider.execute(requestFor('first')));
    expect(again.reads).toBeGreaterThan(0);
  });

  it('a pause that the provider asks for holds for its tenant alone', async () => {
    const bench = openBench(settingsWith(once));
    const execution = bench.instance();
    const provider = new Scripted(execution, failing('rate_limited', { retryAfterMs: 20_000 }));
    await provider.execute(requestFor('acme'));
    provider.script = ok;
    expect(await provider.execute(requestFor('acme'))).toMatchObject({
      status: 'deferred',
      failure: { reasonCode: 'rate_limited' },
      retryAt: new Date(bench.clock.nowMs() + 20_000),
    });
    expect(await provider.execute(requestFor('globex'))).toMatchObject({ status: 'succeeded' });
    await bench.clock.advance(20_000);
    expect(await provider.execute(requestFor('acme'))).toMatchObject({ status: 'succeeded' });
  });
});

describe('breakers over instances', () => {
  it('case 18: instances that open it together do so once', async () => {
    const bench = openBench(settingsWith(once));
    const providers = Array.from(
      { length: 5 },
      () => new Scripted(bench.instance(), failing('internal_error')),
    );
    for (let i = 0; i < 3; i++)
      await Promise.all(providers.map((provider) => provider.execute(requestFor())));
    const opened = bench.events.filter(
      ({ kind, key }) => kind === 'breaker_changed' && key.tenantId === 'acme',
    );
    expect(opened).toEqual([expect.objectContaining({ from: 'closed', to: 'open', epoch: 1 })]);
  });

  it('opens for all at the threshold over all of them', async () => {
    const bench = openBench(settingsWith(once));
    const providers = Array.from(
      { length: 5 },
      () => new Scripted(bench.instance(), failing('internal_error')),
    );
    for (const provider of providers) await provider.execute(requestFor());
    const fresh = new Scripted(bench.instance());
    expect(await fresh.execute(requestFor())).toMatchObject({ status: 'deferred' });
  });

  it('case 5: of twenty instances that come when the cooldown ends, one probes and the rest fail fast', async () => {
    const bench = openBench(settingsWith(once));
    await openBreaker(new Scripted(bench.instance()));
    await bench.clock.advance(60_000);
    let release: (() => void) | undefined;
    const probed = new Promise<string>((done) => (release = () => done('ok')));
    const providers = Array.from(
      { length: 20 },
      () => new Scripted(bench.instance(), () => probed),
    );
    const running = providers.map((provider) => provider.execute(requestFor()));
    await bench.clock.advance(100);
    expect(providers.reduce((sum, { calls }) => sum + calls, 0)).toBe(1);
    release?.();
    const statuses = (await Promise.all(running)).map(({ status }) => status);
    expect(statuses.filter((status) => status === 'deferred')).toHaveLength(19);
    // The others look the result up a second later.
    await bench.clock.advance(1_000);
    expect(await (providers[7] as Scripted).execute(requestFor())).toMatchObject({
      status: 'succeeded',
    });
  });

  it('case 12: the slot of a prober that died is free again after its budget', async () => {
    const bench = openBench(settingsWith({ ...once, timeout_budget_s: 10 }));
    await openBreaker(new Scripted(bench.instance()));
    await bench.clock.advance(60_000);
    // Its instance is gone: it never settles.
    void new Scripted(bench.instance(), () => new Promise(() => undefined)).execute(requestFor());
    await bench.clock.advance(1);
    const next = new Scripted(bench.instance());
    const refused = await next.execute(requestFor());
    expect(refused).toMatchObject({ status: 'deferred' });
    await bench.clock.advance(12_000);
    // The dead one's own deadline has passed in this process too; what counts is the slot's expiry.
    expect(await next.execute(requestFor())).toMatchObject({ status: expect.any(String) });
    expect(next.calls).toBeLessThanOrEqual(1);
  });

  it('case 16: a breaker outlives its instance: another one finds it open', async () => {
    const bench = openBench(settingsWith(once));
    await openBreaker(new Scripted(bench.instance()));
    const next = new Scripted(bench.instance());
    expect(await next.execute(requestFor())).toMatchObject({
      status: 'deferred',
      retryAt: new Date(bench.clock.nowMs() + 60_000),
    });
  });

  it('learns once of an outage that two tenants have seen', async () => {
    const bench = openBench(settingsWith(once));
    const provider = new Scripted(bench.instance(), failing('connection_error'));
    for (let i = 0; i < 3; i++) {
      await provider.execute(requestFor('acme'));
      await provider.execute(requestFor('globex'));
    }
    const known = new Scripted(bench.instance(), failing('connection_error'));
    // Another instance learns it with its first failure, long before five of its own.
    expect(await known.execute(requestFor('initech'))).toMatchObject({ status: 'failed' });
    expect(await known.execute(requestFor('initech'))).toMatchObject({
      status: 'deferred',
      failure: { reasonCode: 'circuit_open' },
    });
    expect(known.calls).toBe(1);
  });

  it('does not let one tenant close a provider for the others', async () => {
    const bench = openBench(settingsWith(once));
    const provider = new Scripted(bench.instance(), failing('timeout'));
    for (let i = 0; i < 12; i++) await provider.execute(requestFor('acme'));
    provider.script = ok;
    expect(await provider.execute(requestFor('globex'))).toMatchObject({ status: 'succeeded' });
  });
});

describe('quota', () => {
  it('refuses without a call when the window is used up, and says when it ends', async () => {
    const bench = openBench(settingsWith({ ...once, quotas: [...quotaOf(3)] }));
    const provider = new Scripted(bench.instance());
    for (let i = 0; i < 3; i++)
      expect(await provider.execute(requestFor())).toMatchObject({ status: 'succeeded' });
    const refused = await provider.execute(requestFor());
    expect(refused).toMatchObject({
      status: 'deferred',
      failure: { reasonCode: 'quota_exhausted', errorType: 'ProviderQuotaExceededError' },
      attempts: [],
    });
    expect(provider.calls).toBe(3);
    const { retryAt } = refused as { retryAt: Date };
    await bench.clock.advance(retryAt.getTime() - bench.clock.nowMs());
    await bench.clock.advance(5_000);
    expect(await provider.execute(requestFor())).toMatchObject({ status: 'succeeded' });
  });

  it('counts attempts, not executions', async () => {
    const bench = openBench(settingsWith({ quotas: [...quotaOf(2)] }));
    const provider = new Scripted(bench.instance(), failing('timeout'));
    const result = await bench.during(provider.execute(requestFor()));
    expect(provider.calls).toBe(2);
    expect(result).toMatchObject({
      status: 'deferred',
      failure: { reasonCode: 'quota_exhausted' },
      attempts: [{ outcome: 'retry' }, { outcome: 'retry' }],
    });
  });

  it('case 44: a call that an open breaker refuses costs nothing of it', async () => {
    const bench = openBench(settingsWith({ ...once, quotas: [...quotaOf(7)] }));
    const provider = new Scripted(bench.instance());
    await openBreaker(provider);
    for (let i = 0; i < 20; i++) await provider.execute(requestFor());
    await bench.clock.advance(30_000);
    for (let i = 0; i < 20; i++) await new Scripted(bench.instance()).execute(requestFor());
    const [row] = bench.store.all<QuotaState>('provider_quota_states');
    expect(row?.used_count).toBeLessThanOrEqual(5);
  });

  it('case 44: a call that is cancelled before it is sent gives its unit back', async () => {
    const bench = openBench(settingsWith({ ...once, quotas: [...quotaOf(1)] }));
    const provider = new Scripted(bench.instance());
    const controller = new AbortController();
    const running = provider.execute(requestFor('acme', { signal: controller.signal }));
    // While it still asks the store for its unit.
    controller.abort();
    expect(await running).toMatchObject({ status: 'cancelled', attempts: [] });
    expect(provider.calls).toBe(0);
    expect(await provider.execute(requestFor())).toMatchObject({ status: 'succeeded' });
  });

  it('case 47: tenants have each their own', async () => {
    const bench = openBench(settingsWith({ ...once, quotas: [...quotaOf(1)] }));
    const provider = new Scripted(bench.instance());
    for (const tenant of ['a', 'b', 'a|b', 'a\nb'])
      expect(await provider.execute(requestFor(tenant))).toMatchObject({ status: 'succeeded' });
    expect(await provider.execute(requestFor('a'))).toMatchObject({ status: 'deferred' });
  });
});

describe('what an execution costs', () => {
  it('a key without quota: one read when it is new, then nothing on success', async () => {
    const bench = openBench();
    const provider = new Scripted(bench.instance());
    expect(await bench.store.cost(() => provider.execute(requestFor()))).toEqual({
      reads: 1,
      writes: 0,
    });
    expect(await bench.store.cost(() => provider.execute(requestFor()))).toEqual({
      reads: 0,
      writes: 0,
    });
  });

  it('a refusal while it is open: nothing', async () => {
    const bench = openBench(settingsWith(once));
    const provider = new Scripted(bench.instance());
    await openBreaker(provider);
    for (let i = 0; i < 59; i++) {
      await bench.clock.advance(1_000);
      expect(await bench.store.cost(() => provider.execute(requestFor()))).toEqual({
        reads: 0,
        writes: 0,
      });
    }
  });
});

describe('counts', () => {
  it('writes successes in packs of a hundred, and failures at once', async () => {
    const bench = openBench(settingsWith(once));
    const provider = new Scripted(bench.instance());
    for (let i = 0; i < 100; i++) await provider.execute(requestFor());
    provider.script = failing('bad_request', { httpStatus: 422 });
    await bench.clock.advance(1_000);
    await provider.execute(requestFor());
    const docs = bench.store.all<ExecutionMetrics>('provider_execution_metrics');
    expect(docs.map(({ rows }) => rows.length).sort((a, b) => a - b)).toEqual([1, 100]);
    expect(docs.find(({ rows }) => rows.length === 1)?.rows[0]).toMatchObject({
      tenant_id: 'acme',
      provider_name: 'scripted',
      capability: 'testing',
      outcome: 'failed',
      reason_code: 'bad_request',
      http_status: 422,
    });
  });

  it('case 59: a flush on the way out writes what is left, and twice writes it once', async () => {
    const bench = openBench();
    const execution = bench.instance();
    const provider = new Scripted(execution);
    for (let i = 0; i < 7; i++) await provider.execute(requestFor());
    await execution.close();
    await execution.close();
    const [pack] = bench.store.all<ExecutionMetrics>('provider_execution_metrics');
    expect(pack?.rows).toHaveLength(7);
    const health = bench.store
      .all<ProviderHealthState>('provider_health_states')
      .find(({ tenant_id }) => tenant_id === 'acme');
    expect(health?.success_rate_1h).toBe(1);
    expect(health?.windows.reduce((sum, { succeeded }) => sum + succeeded, 0)).toBe(7);
  });

  it('case 59: a flush that failed keeps its counts; one whose acknowledgement was lost counts once', async () => {
    for (const fault of ['unavailable', 'lost'] as const) {
      const bench = openBench();
      const execution = bench.instance();
      const provider = new Scripted(execution);
      for (let i = 0; i < 5; i++) await provider.execute(requestFor());
      bench.store.fault = () => fault;
      await execution.flush();
      bench.store.fault = () => null;
      for (let i = 0; i < 2; i++) await provider.execute(requestFor());
      await execution.flush();
      await execution.flush();
      const health = bench.store
        .all<ProviderHealthState>('provider_health_states')
        .find(({ tenant_id }) => tenant_id === 'acme');
      expect(health?.windows.reduce((sum, { succeeded }) => sum + succeeded, 0)).toBe(7);
      const rows = bench.store
        .all<ExecutionMetrics>('provider_execution_metrics')
        .flatMap((doc) => doc.rows);
      expect(rows).toHaveLength(7);
    }
  });

  it('says in its row what the provider answered', async () => {
    const bench = openBench();
    const execution = bench.instance();
    const provider = new Scripted(execution, async (call) => {
      call.answered(204);
      return null;
    });
    await provider.execute(requestFor('acme', { taskExecutionId: 'tex_1', timeoutBudgetMs: 900 }));
    await execution.flush();
    const [pack] = bench.store.all<ExecutionMetrics>('provider_execution_metrics');
    expect(pack?.rows[0]).toMatchObject({
      task_execution_id: 'tex_1',
      http_status: 204,
      timeout_budget_ms: 900,
      max_attempts: 3,
      outcome: 'success',
    });
  });
});
