import fc from 'fast-check';
import { describe, expect, it } from 'vitest';

import type { QuotaPolicy, QuotaWindow } from '../../../shared/execution/policy.ts';
import { windowsAt } from '../../../shared/execution/quota-window.ts';

const HOUR_MS = 3_600_000;
const DAY_MS = 24 * HOUR_MS;
const LONGEST_MS: Record<QuotaWindow, number> = {
  minute: 60_000,
  hour: HOUR_MS,
  day: DAY_MS + 4 * HOUR_MS,
  month: 32 * DAY_MS,
};

const policyIn = (time_zone: string): QuotaPolicy => ({
  minute: 1,
  hour: 2,
  day: 3,
  month: 4,
  time_zone,
  outage: 'refuse',
  outage_allowance: 0,
});

/** The window as `start/end`, without seconds. */
function windowIn(time_zone: string, window: QuotaWindow, at: string): string {
  const span = windowsAt(policyIn(time_zone), Date.parse(at)).find(
    (each) => each.window === window,
  );
  if (!span) throw new Error(`no ${window}`);
  const shown = (ms: number) => new Date(ms).toISOString().replace(':00.000Z', 'Z');
  return `${shown(span.startMs)}/${shown(span.endMs)}`;
}

describe('the windows of a policy', () => {
  it('are those it limits, longest first, each with its limit', () => {
    const atMs = Date.parse('2026-03-17T10:20:30.400Z');
    const windows = windowsAt(policyIn('UTC'), atMs);
    expect(windows.map(({ window, limit }) => [window, limit])).toEqual([
      ['month', 4],
      ['day', 3],
      ['hour', 2],
      ['minute', 1],
    ]);
    const { minute: _, day: __, ...other } = policyIn('UTC');
    expect(windowsAt(other, atMs).map(({ window }) => window)).toEqual(['month', 'hour']);
  });

  it('need a limit and a zone that exists', () => {
    const none: QuotaPolicy = { time_zone: 'UTC', outage: 'refuse', outage_allowance: 0 };
    expect(() => windowsAt(none, 0)).toThrow(RangeError);
    expect(() => windowsAt(policyIn('Mars/Olympus_Mons'), 0)).toThrow(RangeError);
  });
});

describe('case 46: Gregorian windows, daylight saving and month ends', () => {
  it.each([
    ['minute', '2026-03-17T10:20Z/2026-03-17T10:21Z'],
    ['hour', '2026-03-17T10:00Z/2026-03-17T11:00Z'],
    ['day', '2026-03-17T00:00Z/2026-03-18T00:00Z'],
    ['month', '2026-03-01T00:00Z/2026-04-01T00:00Z'],
  ] as const)('in UTC a %s is plain', (window, span) => {
    expect(windowIn('UTC', window, '2026-03-17T10:20:30.400Z')).toBe(span);
  });

  it.each([
    ['2026-02-28T23:59:59.999Z', '2026-02-01T00:00Z/2026-03-01T00:00Z'],
    ['2028-02-29T12:00:00.000Z', '2028-02-01T00:00Z/2028-03-01T00:00Z'],
    ['2100-02-28T12:00:00.000Z', '2100-02-01T00:00Z/2100-03-01T00:00Z'],
    ['2026-12-31T23:59:59.999Z', '2026-12-01T00:00Z/2027-01-01T00:00Z'],
    ['2027-01-01T00:00:00.000Z', '2027-01-01T00:00Z/2027-02-01T00:00Z'],
  ])('a month ends where the calendar has it: %s', (at, span) => {
    expect(windowIn('UTC', 'month', at)).toBe(span);
  });

  it.each([
    ['UTC', '2026-06-15T23:30Z', '2026-06-15T00:00Z/2026-06-16T00:00Z'],
    ['Asia/Kolkata', '2026-06-15T18:29Z', '2026-06-14T18:30Z/2026-06-15T18:30Z'],
    ['Asia/Kolkata', '2026-06-15T18:30Z', '2026-06-15T18:30Z/2026-06-16T18:30Z'],
    ['Pacific/Kiritimati', '2026-06-15T10:00Z', '2026-06-15T10:00Z/2026-06-16T10:00Z'],
    ['Pacific/Pago_Pago', '2026-06-15T10:59Z', '2026-06-14T11:00Z/2026-06-15T11:00Z'],
    // 23 and 25 hours.
    ['America/New_York', '2026-03-08T12:00Z', '2026-03-08T05:00Z/2026-03-09T04:00Z'],
    ['America/New_York', '2026-11-01T12:00Z', '2026-11-01T04:00Z/2026-11-02T05:00Z'],
    ['Europe/Berlin', '2026-03-29T00:59Z', '2026-03-28T23:00Z/2026-03-29T22:00Z'],
    ['Europe/Berlin', '2026-10-25T01:30Z', '2026-10-24T22:00Z/2026-10-25T23:00Z'],
    // Half an hour of daylight saving.
    ['Australia/Lord_Howe', '2026-04-04T20:00Z', '2026-04-04T13:00Z/2026-04-05T13:30Z'],
    // Midnight is skipped, or comes twice.
    ['Africa/Cairo', '2026-04-24T10:00Z', '2026-04-23T22:00Z/2026-04-24T21:00Z'],
    ['America/Santiago', '2026-09-06T12:00Z', '2026-09-06T04:00Z/2026-09-07T03:00Z'],
    ['America/Havana', '2026-11-01T12:00Z', '2026-11-01T04:00Z/2026-11-02T05:00Z'],
    ['America/St_Johns', '2010-11-07T02:45Z', '2010-11-07T02:30Z/2010-11-08T03:30Z'],
    // A date that never was: the day before it is followed by the day after it.
    ['Pacific/Apia', '2011-12-30T09:59Z', '2011-12-29T10:00Z/2011-12-30T10:00Z'],
    ['Pacific/Apia', '2011-12-30T10:00Z', '2011-12-30T10:00Z/2011-12-31T10:00Z'],
  ])('a day of %s ends at its midnight: %s', (zone, at, span) => {
    expect(windowIn(zone, 'day', at)).toBe(span);
  });

  it.each([
    ['America/New_York', '2026-03-17T10:00Z', '2026-03-01T05:00Z/2026-04-01T04:00Z'],
    ['Asia/Kathmandu', '2026-01-31T18:14Z', '2025-12-31T18:15Z/2026-01-31T18:15Z'],
    ['Asia/Kathmandu', '2026-01-31T18:15Z', '2026-01-31T18:15Z/2026-02-28T18:15Z'],
  ])('a month of %s is whole days of it: %s', (zone, at, span) => {
    expect(windowIn(zone, 'month', at)).toBe(span);
  });

  it('hours are counted from the day’s beginning, and the last of an odd day is short', () => {
    expect(windowIn('Asia/Kolkata', 'hour', '2026-06-15T10:00Z')).toBe(
      '2026-06-15T09:30Z/2026-06-15T10:30Z',
    );
    expect(windowIn('Australia/Lord_Howe', 'hour', '2026-04-05T13:15Z')).toBe(
      '2026-04-05T13:00Z/2026-04-05T13:30Z',
    );
    expect(windowIn('Africa/Monrovia', 'minute', '1960-01-01T00:44:15.000Z')).toBe(
      '1960-01-01T00:43:30.000Z/1960-01-01T00:44:30.000Z',
    );
  });

  it('each moment of any zone lies in one window of each kind, and these lie in each other', () => {
    const zones = fc.constantFrom(...Intl.supportedValuesOf('timeZone'), 'UTC');
    const moments = fc.integer({
      min: Date.UTC(1970, 0, 1),
      max: Date.UTC(2100, 0, 1),
    });
    fc.assert(
      fc.property(zones, moments, (zone, atMs) => {
        const policy = policyIn(zone);
        const spans = windowsAt(policy, atMs);
        let [outerStartMs, outerEndMs] = [-Infinity, Infinity];
        for (const [index, { window, startMs, endMs }] of spans.entries()) {
          expect(startMs).toBeLessThanOrEqual(atMs);
          expect(endMs).toBeGreaterThan(atMs);
          expect(startMs).toBeGreaterThanOrEqual(outerStartMs);
          expect(endMs).toBeLessThanOrEqual(outerEndMs);
          [outerStartMs, outerEndMs] = [startMs, endMs];
          for (const insideMs of [startMs, endMs - 1])
            expect(windowsAt(policy, insideMs)[index]).toMatchObject({ startMs, endMs });
          expect(windowsAt(policy, endMs)[index]?.startMs).toBe(endMs);
          expect(endMs - startMs).toBeLessThanOrEqual(LONGEST_MS[window]);
        }
      }),
      { numRuns: 300 },
    );
  });

  it('a UTC that is reckoned agrees with one that is looked up', () => {
    fc.assert(
      fc.property(fc.integer({ min: 0, max: Date.UTC(2100, 0, 1) }), (atMs) => {
        expect(windowsAt(policyIn('UTC'), atMs)).toEqual(windowsAt(policyIn('Etc/UTC'), atMs));
      }),
    );
  });

  it.each([
    ['America/St_Johns', 2010],
    ['America/Havana', 2026],
    ['America/Santiago', 2026],
    ['Africa/Cairo', 2026],
    ['Africa/Casablanca', 2026],
    ['Asia/Tehran', 2018],
    ['Australia/Lord_Howe', 2026],
    ['Pacific/Apia', 2011],
    ['Pacific/Kwajalein', 1993],
    ['Antarctica/Troll', 2026],
  ])('the days of a year follow each other: %s in %i', (time_zone, year) => {
    const days: QuotaPolicy = { day: 1, time_zone, outage: 'refuse', outage_allowance: 0 };
    for (let atMs = Date.UTC(year, 0, 1); atMs < Date.UTC(year + 1, 0, 1);) {
      const [day] = windowsAt(days, atMs);
      expect(windowsAt(days, day.endMs - 1)).toEqual([day]);
      const [next] = windowsAt(days, day.endMs);
      expect(next.startMs).toBe(day.endMs);
      atMs = day.endMs;
    }
  });
});
