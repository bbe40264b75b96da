import { describe, expect, it } from 'vitest';

import { nextRunMs } from '../../../local/scheduler/cron.ts';

describe('a schedule', () => {
  const at = (text: string) => Date.parse(text);
  it.each([
    ['*/5 * * * *', 'UTC', '2026-01-15T10:02:00Z', '2026-01-15T10:05:00Z'],
    ['0 9 * * 1-5', 'Europe/Berlin', '2026-01-16T08:00:00Z', '2026-01-19T08:00:00Z'],
    ['0 9 * * MON', 'America/New_York', '2026-07-01T00:00:00Z', '2026-07-06T13:00:00Z'],
    ['30 2 29 2 *', 'UTC', '2026-01-01T00:00:00Z', '2028-02-29T02:30:00Z'],
    ['0 0 13 * 5', 'UTC', '2026-01-10T00:00:00Z', '2026-01-13T00:00:00Z'],
    ['0 9 * * *', 'Europe/Berlin', '2026-03-28T12:00:00Z', '2026-03-29T07:00:00Z'],
  ])('%s in %s after %s is next due at %s', (schedule, timeZone, after, next) => {
    expect(nextRunMs(schedule, timeZone, at(after))).toBe(at(next));
  });
});

/*
 * Google says only that a job "may observe execution anomalies" where wall-clock time repeats or skips.
 * Here a time that is skipped runs when the clock has jumped, one that repeats runs once, and what
 * runs at intervals goes on at them.
 */
describe('when the clocks change', () => {
  const runs = (schedule: string, timeZone: string, after: string, count: number) => {
    const times: string[] = [];
    let ms = Date.parse(after);
    while (times.length < count) {
      ms = nextRunMs(schedule, timeZone, ms) ?? NaN;
      times.push(new Date(ms).toISOString().slice(5, 16));
    }
    return times;
  };

  it.each([
    // Berlin goes from 02:00 to 03:00 at 01:00 UTC on 29 March, and back at 01:00 UTC on 25 October.
    ['30 2 * * *', 'Europe/Berlin', '2026-03-28', ['03-28T01:30', '03-29T01:00', '03-30T00:30']],
    ['30 2 * * *', 'Europe/Berlin', '2026-10-24', ['10-24T00:30', '10-25T00:30', '10-26T01:30']],
    ['30 1 * * *', 'America/New_York', '2026-10-31', ['10-31T05:30', '11-01T05:30', '11-02T06:30']],
    [
      '0 * * * *',
      'Europe/Berlin',
      '2026-10-24T23:30Z',
      ['10-25T00:00', '10-25T01:00', '10-25T02:00'],
    ],
    [
      '*/30 * * * *',
      'Europe/Berlin',
      '2026-03-29T00:15Z',
      ['03-29T00:30', '03-29T01:00', '03-29T01:30'],
    ],
    ['30 2 * * *', 'Etc/UTC', '2026-03-28', ['03-28T02:30', '03-29T02:30', '03-30T02:30']],
  ])('%s in %s after %s runs at %s', (schedule, timeZone, after, expected) => {
    expect(runs(schedule, timeZone, after, 3)).toEqual(expected);
  });
});
