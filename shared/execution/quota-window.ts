import { QUOTA_WINDOWS, type QuotaPolicy, type QuotaWindow } from './policy.ts';

/*
 * Windows follow the Gregorian calendar of the policy's zone. A day begins at the first moment that has
 * its date, which is midnight unless the clocks skip it, and lasts 23 to 25 hours where they change. A
 * month is whole days. Hours and minutes are counted from the beginning of the day, and what is left of
 * a day that is no multiple of them is a shorter last window. So each lies inside the next longer one,
 * in every zone, and each moment lies in exactly one of each kind.
 */

const MINUTE_MS = 60_000;
const HOUR_MS = 60 * MINUTE_MS;
const DAY_MS = 24 * HOUR_MS;

/** One window of a quota, the end excluded. */
export interface QuotaSpan {
  readonly window: QuotaWindow;
  readonly startMs: number;
  readonly endMs: number;
  readonly limit: number;
}

/** Longest first. */
export type QuotaSpans = readonly [QuotaSpan, ...QuotaSpan[]];

interface Span {
  readonly startMs: number;
  readonly endMs: number;
}

/** A day of a zone, and the month it is in. */
interface Day extends Span {
  readonly month: Span;
}

const LONGEST_FIRST = QUOTA_WINDOWS.toReversed();

/**
 * The windows that `atMs` lies in, longest first: one for each limit of the policy.
 *
 * @throws {RangeError} for a time zone that does not exist, and for a policy without a limit
 */
export function windowsAt(policy: QuotaPolicy, atMs: number): QuotaSpans {
  const day = dayAt(policy.time_zone, atMs);
  const [longest, ...rest] = LONGEST_FIRST.flatMap((window): QuotaSpan[] => {
    const limit = policy[window];
    if (limit === undefined) return [];
    const { startMs, endMs } = spanAt(window, day, atMs);
    return [{ window, startMs, endMs, limit }];
  });
  if (!longest) throw new RangeError('a quota sets a limit for a minute, hour, day or month');
  return [longest, ...rest];
}

function spanAt(window: QuotaWindow, day: Day, atMs: number): Span {
  switch (window) {
    case 'month':
      return day.month;
    case 'day':
      return day;
    case 'hour':
      return partOf(day, HOUR_MS, atMs);
    case 'minute':
      return partOf(day, MINUTE_MS, atMs);
  }
}

function partOf(day: Day, lengthMs: number, atMs: number): Span {
  const startMs = atMs - ((atMs - day.startMs) % lengthMs);
  return { startMs, endMs: Math.min(startMs + lengthMs, day.endMs) };
}

/** The last that was looked up in each zone: most often, it is asked for again. */
const days = new Map<string, Day>();

function dayAt(zone: string, atMs: number): Day {
  const known = days.get(zone);
  if (known && known.startMs <= atMs && atMs < known.endMs) return known;
  const day = lookUpDay(zone, atMs);
  days.set(zone, day);
  return day;
}

function lookUpDay(zone: string, atMs: number): Day {
  const wall = new Date(wallMs(zone, atMs));
  const startOf = (month: number, day: number) =>
    dayStartMs(zone, wall.getUTCFullYear(), month, day);
  const month = wall.getUTCMonth();
  let day = wall.getUTCDate();
  let endMs = startOf(month, day + 1);
  // Where clocks go back over midnight, the old date returns for a while; its day has ended all the same.
  while (endMs <= atMs) endMs = startOf(month, ++day + 1);
  const monthEndMs = startOf(month + 1, 1);
  return {
    startMs: startOf(month, day),
    endMs,
    month:
      atMs < monthEndMs
        ? { startMs: startOf(month, 1), endMs: monthEndMs }
        : { startMs: monthEndMs, endMs: startOf(month + 2, 1) },
  };
}

/** The first moment at which the zone's clocks show this date or a later one. */
function dayStartMs(zone: string, year: number, month: number, day: number): number {
  const midnightMs = Date.UTC(year, month, day);
  if (zone === 'UTC') return midnightMs;
  /** By the offset of another moment. */
  const reckonedMs = (nearMs: number) => midnightMs - (wallMs(zone, nearMs) - nearMs);
  const [byOldMs, byNewMs] = [reckonedMs(midnightMs - DAY_MS), reckonedMs(midnightMs + DAY_MS)];
  let earlyMs = Math.min(byOldMs, byNewMs);
  let lateMs = Math.max(byOldMs, byNewMs);
  if (earlyMs === lateMs || wallMs(zone, earlyMs) >= midnightMs) return earlyMs;
  // The offset changes in between: where it skips midnight, the change is the beginning.
  while (lateMs - earlyMs > 1) {
    const middleMs = Math.floor((earlyMs + lateMs) / 2);
    if (wallMs(zone, middleMs) >= midnightMs) lateMs = middleMs;
    else earlyMs = middleMs;
  }
  return lateMs;
}

const formats = new Map<string, Intl.DateTimeFormat>();

function formatOf(zone: string): Intl.DateTimeFormat {
  let format = formats.get(zone);
  if (!format) {
    format = new Intl.DateTimeFormat('en-US-u-ca-gregory-nu-latn', {
      timeZone: zone,
      year: 'numeric',
      month: 'numeric',
      day: 'numeric',
      hour: 'numeric',
      minute: 'numeric',
      second: 'numeric',
      hourCycle: 'h23',
    });
    formats.set(zone, format);
  }
  return format;
}

/** What the zone's clocks show, as if they showed UTC. */
function wallMs(zone: string, atMs: number): number {
  if (zone === 'UTC') return atMs;
  const shown: Partial<Record<Intl.DateTimeFormatPartTypes, number>> = {};
  for (const { type, value } of formatOf(zone).formatToParts(atMs)) shown[type] = Number(value);
  const { year = 0, month = 0, day = 0, hour = 0, minute = 0, second = 0 } = shown;
  const wholeMs = Date.UTC(year, month - 1, day, hour, minute, second);
  return wholeMs + (((atMs % 1_000) + 1_000) % 1_000);
}
