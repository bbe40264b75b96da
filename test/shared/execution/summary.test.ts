import { describe, expect, it } from 'vitest';

import {
  type ProviderHealthState,
  foldFlush,
  newHealthState,
  slotStartMs,
} from '../../../shared/execution/health.ts';
import { Latencies } from '../../../shared/execution/histogram.ts';
import type { QuotaState } from '../../../shared/execution/quota.ts';
import { HealthSummary, healthSummary } from '../../../shared/execution/summary.ts';

const HOUR = 3_600_000;
const at = new Date('2026-03-01T12:02:30.000Z');
const iso = (ms: number): string => new Date(at.getTime() + ms).toISOString();
const rank = { providerName: 'rank', capability: 'rank_snapshot' };

const state = (
  changes: Partial<ProviderHealthState> = {},
  breaker: Partial<ProviderHealthState['breaker']> = {},
): ProviderHealthState => {
  const fresh = newHealthState({ tenantId: 'acme', ...rank }, at);
  return { ...fresh, ...changes, breaker: { ...fresh.breaker, ...breaker } };
};

type Window = QuotaState['windows'][number];

const dayWindow: Window = {
  window: 'day',
  window_start: '2026-03-01T00:00:00.000Z',
  window_end: '2026-03-02T00:00:00.000Z',
  limit_count: 10_000,
  used_count: 2_450,
  remaining_count: 7_550,
  last_exhausted_at: null,
};
const minuteWindow: Window = {
  window: 'minute',
  window_start: '2026-03-01T12:02:00.000Z',
  window_end: '2026-03-01T12:03:00.000Z',
  limit_count: 60,
  used_count: 41,
  remaining_count: 19,
  last_exhausted_at: null,
};

const quotaRow = (windows: Window[], changes: Partial<QuotaState> = {}): QuotaState => {
  const { window: _, ...longest } = windows[0] ?? dayWindow;
  return {
    id: 'qta_1',
    tenant_id: 'acme',
    provider_name: 'rank',
    capability: 'rank_snapshot',
    ...longest,
    updated_at: at.toISOString(),
    windows,
    holders: {},
    holders_seen: 0,
    holders_before: 0,
    expire_at: at,
    ...changes,
  };
};

/** The summary, which fits its contract. */
const summaryOf = (
  states: ProviderHealthState[],
  quotas: QuotaState[] = [],
  time = at,
): HealthSummary => {
  const summary = healthSummary('acme', states, quotas, [], time);
  expect(HealthSummary.parse(summary)).toEqual(summary);
  return summary;
};
const only = (...given: Parameters<typeof summaryOf>) => summaryOf(...given).providers[0];

describe('the summary', () => {
  it('answers as the specification shows, and adds to it', () => {
    const latencies = new Latencies();
    for (let i = 0; i < 100; i++) latencies.add(210);
    const { doc } = foldFlush(
      state(),
      {
        instanceId: 'i1',
        seq: 1,
        samples: [
          {
            slotStartMs: slotStartMs(at.getTime()),
            succeeded: 99,
            failed: 1,
            latencies: latencies.toPacked(),
          },
        ],
        lastError: null,
        lastSuccessAtMs: at.getTime() - 5,
      },
      at,
    );
    const summary = summaryOf([doc], [quotaRow([dayWindow])]);
    expect(summary).toEqual({
      tenant_id: 'acme',
      generated_at: at.toISOString(),
      providers: [
        {
          provider_name: 'rank',
          capability: 'rank_snapshot',
          breaker_state: 'closed',
          success_rate_1h: 0.99,
          p95_latency_ms_1h: expect.closeTo(210, -1),
          quota: {
            limit_count: 10_000,
            used_count: 2_450,
            remaining_count: 7_550,
            window_end: '2026-03-02T00:00:00.000Z',
            window: 'day',
            windows: [dayWindow],
          },
          last_error_code: null,
          last_error_at: null,
          last_success_at: iso(-5),
          breaker: { open_until: null, forced: null, not_before: null },
        },
      ],
    });
    const p95 = summary.providers[0]?.p95_latency_ms_1h ?? NaN;
    expect(Math.abs(p95 / 210 - 1)).toBeLessThanOrEqual(0.02);
  });

  it('case 60: of a tenant without data has no providers', () => {
    expect(summaryOf([])).toEqual({
      tenant_id: 'acme',
      generated_at: at.toISOString(),
      providers: [],
    });
  });

  it('case 60: shows no rates from over an hour ago, even where nobody has written since', () => {
    const stale = state({
      success_rate_1h: 0.5,
      p95_latency_ms_1h: 80,
      windows: [{ start: '2026-03-01T12:00:00.000Z', succeeded: 1, failed: 1, latencies: [90, 2] }],
    });
    expect(only([stale])).toMatchObject({ success_rate_1h: 0.5 });
    expect(only([stale], [], new Date('2026-03-01T13:00:00.000Z'))).toMatchObject({
      success_rate_1h: null,
      p95_latency_ms_1h: null,
    });
  });

  it('is in the order of name and capability, by code point', () => {
    const keys = [
      ['b', 'x'],
      ['a', 'y'],
      ['a', 'x'],
      ['B', 'x'],
    ] as const;
    const states = keys.map(([provider_name, capability]) => state({ provider_name, capability }));
    const names = summaryOf(states).providers.map(
      (one) => `${one.provider_name} ${one.capability}`,
    );
    expect(names).toEqual(['B x', 'a x', 'a y', 'b x']);
  });
});

describe('the breaker of a summary', () => {
  it('is open while its cooldown lasts', () => {
    const open = state({ breaker_state: 'open' }, { open_until: iso(1) });
    expect(only([open])).toMatchObject({ breaker_state: 'open', breaker: { open_until: iso(1) } });
  });

  it('is half open once the cooldown is over: the next call would be a probe', () => {
    const over = state({ breaker_state: 'open' }, { open_until: iso(0) });
    expect(only([over])).toMatchObject({
      breaker_state: 'half_open',
      breaker: { open_until: null },
    });
  });

  it('stays open while it is forced, and tells by whom', () => {
    const forced = { by: 'operator', reason: 'maintenance', at: iso(-HOUR) };
    for (const open_until of [null, iso(-1)])
      expect(only([state({ breaker_state: 'open' }, { forced, open_until })])).toMatchObject({
        breaker_state: 'open',
        breaker: { open_until: null, forced },
      });
  });

  it('is half open and closed as stored', () => {
    for (const breaker_state of ['half_open', 'closed'] as const)
      expect(only([state({ breaker_state })])).toMatchObject({ breaker_state });
  });

  it("tells a provider's pause until it is over", () => {
    expect(only([state({}, { not_before: iso(1) })])?.breaker.not_before).toBe(iso(1));
    expect(only([state({}, { not_before: iso(0) })])?.breaker.not_before).toBeNull();
  });
});

describe('the quota of a summary', () => {
  it('is null where there is none', () => {
    expect(only([state()])?.quota).toBeNull();
    const elsewhere = quotaRow([dayWindow], { capability: 'crawl_fetch' });
    expect(summaryOf([state()], [elsewhere]).providers).toMatchObject([
      { capability: 'crawl_fetch', quota: { limit_count: 10_000 } },
      { capability: 'rank_snapshot', quota: null },
    ]);
  });

  it('is the present window with the least remaining, with all of them beside it', () => {
    const quota = only([state()], [quotaRow([dayWindow, minuteWindow])])?.quota;
    expect(quota).toMatchObject({ window: 'minute', remaining_count: 19, used_count: 41 });
    expect(quota?.windows).toEqual([dayWindow, minuteWindow]);
  });

  it('is not a window that has ended: of the next one nothing is used', () => {
    const time = new Date(minuteWindow.window_end);
    const quota = only([state()], [quotaRow([dayWindow, minuteWindow])], time)?.quota;
    expect(quota).toMatchObject({ window: 'day', remaining_count: 7_550 });
    expect(quota?.windows).toEqual([
      dayWindow,
      { ...minuteWindow, window_start: null, window_end: null, used_count: 0, remaining_count: 60 },
    ]);
  });

  it('is null when every window has ended, as before the first call of the next', () => {
    const time = new Date(dayWindow.window_end);
    expect(only([state()], [quotaRow([dayWindow, minuteWindow])], time)?.quota).toBeNull();
  });

  it('of two rows, since the policy was changed, is told from both, the later one first', () => {
    const old = quotaRow([{ ...minuteWindow, remaining_count: 1 }], { updated_at: iso(-1) });
    const quota = only([state()], [quotaRow([dayWindow, minuteWindow]), old])?.quota;
    expect(quota?.windows).toEqual([dayWindow, minuteWindow]);
    expect(quota).toMatchObject({ window: 'minute', remaining_count: 19 });
  });

  it('shows without health what was never called: closed, without rates', () => {
    expect(summaryOf([], [quotaRow([dayWindow]), quotaRow([minuteWindow])]).providers).toEqual([
      {
        provider_name: 'rank',
        capability: 'rank_snapshot',
        breaker_state: 'closed',
        success_rate_1h: null,
        p95_latency_ms_1h: null,
        quota: expect.objectContaining({ window: 'minute' }),
        last_error_code: null,
        last_error_at: null,
        last_success_at: null,
        breaker: { open_until: null, forced: null, not_before: null },
      },
    ]);
  });
});

describe('a breaker over all tenants', () => {
  const openForAll = (changes: Partial<ProviderHealthState> = {}) =>
    state({ tenant_id: '*', breaker_state: 'open', ...changes }, { open_until: iso(60_000) });
  const shown = (own: ProviderHealthState[], forAll: ProviderHealthState[]) =>
    healthSummary('acme', own, [], forAll, at).providers;

  it('that is open holds for a tenant whose own is closed', () => {
    expect(shown([state()], [openForAll()])).toMatchObject([
      { breaker_state: 'open', breaker: { open_until: iso(60_000) } },
    ]);
  });

  it('does not hide that the own one is open, and says nothing of providers that are not called', () => {
    const own = state({ breaker_state: 'open' }, { open_until: iso(90_000) });
    expect(shown([own], [openForAll()])).toMatchObject([
      { breaker_state: 'open', breaker: { open_until: iso(90_000) } },
    ]);
    expect(shown([], [openForAll()])).toEqual([]);
  });

  it('is another for another capability', () => {
    expect(shown([state()], [openForAll({ capability: 'other' })])).toMatchObject([
      { breaker_state: 'closed' },
    ]);
  });
});
