import fc from 'fast-check';
import { describe, expect, it } from 'vitest';

import { type Breaker, CLOSED } from '../../../shared/execution/breaker.ts';
import {
  type HealthFlush,
  ProviderHealthState,
  breakerOf,
  foldFlush,
  instancesOf,
  newHealthState,
  ratesAt,
  slotStartMs,
  withBreaker,
} from '../../../shared/execution/health.ts';
import { Latencies } from '../../../shared/execution/histogram.ts';
import { keyId } from '../../../shared/execution/key.ts';

const MINUTE = 60_000;
const HOUR = 60 * MINUTE;

const key = { tenantId: 'acme', providerName: 'openai', capability: 'usage_extract' };
/** The middle of a slot. */
const at = new Date('2026-03-01T12:02:00.000Z');
const nowMs = at.getTime();
const after = (ms: number): Date => new Date(nowMs + ms);
const empty = newHealthState(key, at);

const latencies = (...values: number[]): number[] => {
  const counted = new Latencies();
  for (const ms of values) counted.add(ms);
  return counted.toPacked();
};

const sample = (ageMs: number, succeeded: number, failed = 0, ms = 100) => ({
  slotStartMs: slotStartMs(nowMs - ageMs),
  succeeded,
  failed,
  latencies: latencies(...Array.from({ length: succeeded + failed }, () => ms)),
});

const aFlush = (changes: Partial<HealthFlush> = {}): HealthFlush => ({
  instanceId: 'i1',
  seq: 1,
  samples: [sample(0, 1)],
  lastError: null,
  lastSuccessAtMs: null,
  ...changes,
});

/** Folds one after another, and holds on the way that what is stored fits its schema. */
const folded = (flushes: readonly HealthFlush[], time = at, from = empty): ProviderHealthState =>
  flushes.reduce((doc, flush) => {
    const next = foldFlush(doc, flush, time).doc;
    expect(ProviderHealthState.parse(next)).toEqual(next);
    return next;
  }, from);

describe('the state of a new key', () => {
  it('has the columns of the specification, a closed breaker and no rates', () => {
    expect(ProviderHealthState.parse(empty)).toEqual(empty);
    expect(empty).toMatchObject({
      id: keyId(key),
      tenant_id: 'acme',
      provider_name: 'openai',
      capability: 'usage_extract',
      breaker_state: 'closed',
      consecutive_failures: 0,
      success_rate_1h: null,
      p95_latency_ms_1h: null,
      last_error_code: null,
      last_error_at: null,
      last_success_at: null,
      updated_at: at.toISOString(),
    });
  });
});

describe('the breaker of a state', () => {
  const open: Breaker = {
    ...CLOSED,
    state: 'open',
    epoch: 7,
    consecutiveFailures: 5,
    openUntilMs: nowMs + MINUTE,
    reopenings: 2,
    notBeforeMs: nowMs + 1,
    failingTenants: ['a', 'b'],
  };
  const states: [string, Breaker][] = [
    ['closed', { ...CLOSED, epoch: 4, consecutiveFailures: 3 }],
    ['open', open],
    [
      'half open',
      {
        ...open,
        state: 'half_open',
        openUntilMs: null,
        probes: { p1: nowMs + 5 },
        probeSuccesses: 1,
      },
    ],
    ['forced open', { ...open, openUntilMs: null, forced: true }],
  ];

  it.each(states)('comes back as it was stored: %s', (_what, breaker) => {
    const doc = withBreaker(empty, breaker, at);
    expect(ProviderHealthState.parse(doc)).toEqual(doc);
    expect(breakerOf(doc)).toEqual(breaker);
  });

  it('is closed for a key that nothing is known about', () => {
    expect(breakerOf(null)).toEqual(CLOSED);
    expect(breakerOf(empty)).toEqual(CLOSED);
  });

  it('is stored under the names of the specification', () => {
    expect(withBreaker(empty, open, after(1))).toMatchObject({
      breaker_state: 'open',
      consecutive_failures: 5,
      updated_at: after(1).toISOString(),
      breaker: { epoch: 7, open_until: after(MINUTE).toISOString(), failing_tenants: ['a', 'b'] },
    });
  });

  it('remembers who forced it, until it is released', () => {
    const forced = { ...open, openUntilMs: null, forced: true };
    const by = { by: 'operator', reason: 'maintenance' };
    const doc = withBreaker(empty, forced, at, by);
    const details = { ...by, at: at.toISOString() };
    expect(doc.breaker.forced).toEqual(details);
    expect(withBreaker(doc, { ...forced, epoch: 8 }, after(1)).breaker.forced).toEqual(details);
    expect(withBreaker(doc, forced, after(1), { by: 'b', reason: 'r' }).breaker.forced).toEqual({
      by: 'b',
      reason: 'r',
      at: after(1).toISOString(),
    });
    expect(withBreaker(doc, CLOSED, after(2)).breaker.forced).toBeNull();
  });

  it('stays forced even where nobody said who did it', () => {
    expect(breakerOf(withBreaker(empty, { ...open, forced: true }, at)).forced).toBe(true);
  });

  it('changes nothing of what was counted, but for what has become too old', () => {
    const counted = folded([aFlush()]);
    expect(withBreaker(counted, open, after(1))).toMatchObject({
      windows: counted.windows,
      flushes: counted.flushes,
      success_rate_1h: 1,
    });
    expect(withBreaker(counted, open, after(2 * HOUR))).toMatchObject({
      windows: [],
      flushes: {},
      success_rate_1h: null,
    });
  });
});

describe('folding a flush', () => {
  it('adds its samples up by five minutes, oldest first', () => {
    const doc = folded([
      aFlush({ samples: [sample(0, 3, 1), sample(10 * MINUTE, 2)] }),
      aFlush({ instanceId: 'i2', samples: [sample(10 * MINUTE, 5)] }),
    ]);
    expect(doc.windows).toMatchObject([
      { start: '2026-03-01T11:50:00.000Z', succeeded: 7, failed: 0 },
      { start: '2026-03-01T12:00:00.000Z', succeeded: 3, failed: 1 },
    ]);
    expect(doc.windows[0]?.latencies).toEqual(sample(0, 7).latencies);
    expect(doc).toMatchObject({ success_rate_1h: 10 / 11, updated_at: at.toISOString() });
  });

  it('case 59: that was counted before, because its commit was in doubt, changes nothing', () => {
    const flush = aFlush({ lastError: { code: 'timeout', atMs: nowMs } });
    const once = foldFlush(empty, flush, at);
    expect(once.applied).toBe(true);
    const twice = foldFlush(once.doc, flush, after(MINUTE));
    expect(twice.applied).toBe(false);
    expect(twice.doc).toBe(once.doc);
    const next = foldFlush(twice.doc, aFlush({ seq: 2 }), after(MINUTE));
    expect(next.applied).toBe(true);
    expect(next.doc.windows).toMatchObject([{ succeeded: 2 }]);
  });

  it('case 59: is not counted twice when its repetition comes long after, whoever else flushes', () => {
    const flush = aFlush({ samples: [sample(0, 10)] });
    const sent = folded([flush]);
    for (let minutes = 1; minutes <= 120; minutes++) {
      const time = after(minutes * MINUTE);
      const other = aFlush({ instanceId: 'i2', seq: minutes, samples: [] });
      const { doc } = foldFlush(sent, other, time);
      const repeated = foldFlush(doc, flush, time).doc;
      expect(ratesAt(repeated, time)).toEqual(ratesAt(doc, time));
      expect(repeated.windows).toEqual(doc.windows);
    }
  });

  it('case 59: keeps the sequences of instances apart', () => {
    const doc = folded([aFlush({ seq: 9 }), aFlush({ instanceId: 'i2', seq: 1 })]);
    expect(doc.windows).toMatchObject([{ succeeded: 2 }]);
  });

  it('case 58: gives the same windows, rates and last times in whatever order instances flush', () => {
    const flushes = fc
      .array(
        fc.record({
          samples: fc.array(
            fc.record({
              slotStartMs: fc
                .integer({ min: 0, max: 90 * MINUTE })
                .map((ageMs) => slotStartMs(nowMs - ageMs)),
              succeeded: fc.nat(5),
              failed: fc.nat(5),
              latencies: fc.array(fc.nat(20_000), { maxLength: 10 }).map((ms) => latencies(...ms)),
            }),
            { maxLength: 4 },
          ),
          lastError: fc.option(
            fc.record({
              code: fc.constantFrom('timeout' as const, 'connection_error' as const),
              atMs: fc.integer({ min: nowMs - 3, max: nowMs }),
            }),
          ),
          lastSuccessAtMs: fc.option(fc.integer({ min: nowMs - HOUR, max: nowMs })),
        }),
        { minLength: 1, maxLength: 6 },
      )
      .map((given) => given.map((flush, i) => ({ ...flush, instanceId: `i${i}`, seq: 1 })));
    const shuffled = flushes.chain((all) =>
      fc
        .shuffledSubarray(all, { minLength: all.length, maxLength: all.length })
        .map((other) => [all, other] as const),
    );
    fc.assert(
      fc.property(shuffled, ([all, other]) => {
        expect(folded(other)).toEqual(folded(all));
      }),
    );
  });

  it('drops what began over an hour ago, whether it comes now or was there', () => {
    const late = folded([aFlush({ samples: [sample(61 * MINUTE, 5), sample(50 * MINUTE, 1)] })]);
    expect(late.windows).toMatchObject([{ succeeded: 1 }]);
    const later = foldFlush(late, aFlush({ seq: 2 }), after(20 * MINUTE)).doc;
    expect(later.windows).toMatchObject([{ start: '2026-03-01T12:00:00.000Z', succeeded: 1 }]);
  });

  it('never keeps more than the 12 windows that can count', () => {
    let doc = empty;
    for (let minutes = 0; minutes < 180; minutes++)
      doc = foldFlush(
        doc,
        aFlush({ seq: minutes + 1, samples: [sample(-minutes * MINUTE, 1)] }),
        after(minutes * MINUTE),
      ).doc;
    expect(doc.windows).toHaveLength(12);
  });

  it('counts attempts of a clock that is ahead as of now', () => {
    const doc = folded([aFlush({ samples: [sample(-3 * HOUR, 4)] })]);
    expect(doc.windows).toMatchObject([{ start: '2026-03-01T12:00:00.000Z', succeeded: 4 }]);
  });

  it('remembers the latest error and the latest success of all', () => {
    const doc = folded([
      aFlush({ lastError: { code: 'timeout', atMs: nowMs - 5 }, lastSuccessAtMs: nowMs - 9 }),
      aFlush({
        seq: 2,
        lastError: { code: 'bad_request', atMs: nowMs - 8 },
        lastSuccessAtMs: nowMs,
      }),
      aFlush({ seq: 3 }),
    ]);
    expect(doc).toMatchObject({
      last_error_code: 'timeout',
      last_error_at: after(-5).toISOString(),
      last_success_at: at.toISOString(),
    });
  });

  it('leaves the breaker alone', () => {
    const breaker: Breaker = { ...CLOSED, epoch: 3, consecutiveFailures: 2 };
    expect(breakerOf(folded([aFlush()], at, withBreaker(empty, breaker, at)))).toEqual(breaker);
  });
});

describe('the instances of a key', () => {
  it('are those that flushed within a quarter of an hour', () => {
    const doc = folded([aFlush(), aFlush({ instanceId: 'i2' })]);
    expect(instancesOf(empty, at)).toBe(0);
    expect(instancesOf(doc, after(15 * MINUTE - 1))).toBe(2);
    expect(instancesOf(doc, after(15 * MINUTE))).toBe(0);
  });

  it('are forgotten once nothing of theirs could count any more', () => {
    const doc = folded([aFlush()]);
    const still = foldFlush(doc, aFlush({ instanceId: 'i2' }), after(65 * MINUTE - 1)).doc;
    expect(Object.keys(still.flushes)).toEqual(['i1', 'i2']);
    const gone = foldFlush(doc, aFlush({ instanceId: 'i2' }), after(65 * MINUTE)).doc;
    expect(Object.keys(gone.flushes)).toEqual(['i2']);
  });
});

describe('the rates of the last hour', () => {
  it('case 57: are null, not NaN, where nothing was counted', () => {
    const none = { success_rate_1h: null, p95_latency_ms_1h: null };
    expect(ratesAt(empty, at)).toEqual(none);
    expect(folded([aFlush({ samples: [] })])).toMatchObject(none);
    const zeros = { ...sample(0, 0), latencies: [] };
    expect(folded([aFlush({ samples: [zeros] })])).toMatchObject(none);
  });

  it('are the share of successes and the p95 over all windows', () => {
    const doc = folded([
      aFlush({ samples: [sample(0, 90, 0, 10), sample(20 * MINUTE, 4, 0, 10)] }),
      aFlush({ seq: 2, samples: [sample(20 * MINUTE, 0, 6, 2_000)] }),
    ]);
    expect(doc.success_rate_1h).toBe(0.94);
    expect(doc.p95_latency_ms_1h).toBeGreaterThan(1_960);
    expect(doc.p95_latency_ms_1h).toBeLessThan(2_040);
  });

  it('are 0 and 1 where nothing and everything succeeded', () => {
    expect(folded([aFlush({ samples: [sample(0, 0, 3)] })]).success_rate_1h).toBe(0);
    expect(folded([aFlush({ samples: [sample(0, 3, 0)] })]).success_rate_1h).toBe(1);
  });

  it('case 60: hold nothing that is over an hour old, at any time of asking', () => {
    const doc = folded([aFlush({ samples: [sample(0, 1)] })]);
    // The slot began at 12:00, so it may hold an attempt of then.
    const slot = new Date('2026-03-01T12:00:00.000Z').getTime();
    expect(ratesAt(doc, new Date(slot + HOUR - 1)).success_rate_1h).toBe(1);
    expect(ratesAt(doc, new Date(slot + HOUR))).toEqual({
      success_rate_1h: null,
      p95_latency_ms_1h: null,
    });
  });

  it('case 60: hold all of the last 55 minutes', () => {
    for (let ageMinutes = 0; ageMinutes <= 55; ageMinutes++) {
      const doc = folded([aFlush({ samples: [sample(ageMinutes * MINUTE, 1)] })]);
      expect(ratesAt(doc, at).success_rate_1h).toBe(1);
    }
  });
});
