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
