import { z } from 'zod';

/** The longest wait a provider can ask of us: a task cannot be scheduled for ever. */
export const RETRY_AFTER_MAX_MS = 24 * 60 * 60 * 1_000;

const NUMBER = /^\d+(?:\.\d*)?$/;
/** As Go and protobuf write it: `6m0s`, `1.5s`, `120ms`. */
const DURATION = /^(?:\d+(?:\.\d+)?(?:ns|us|µs|ms|s|m|h))+$/;
const DURATION_PART = /(\d+(?:\.\d+)?)(ns|us|µs|ms|s|m|h)/g;
const unitMs: Readonly<Record<string, number>> = {
  ns: 1e-6,
  us: 1e-3,
  µs: 1e-3,
  ms: 1,
  s: 1_000,
  m: 60_000,
  h: 3_600_000,
};

// Strict, because Date.parse takes nearly anything for a date: `-5`, or `garbage 5`.
const ISO_TIME = /^\d{4}-\d\d-\d\dT\d\d:\d\d(?::\d\d(?:\.\d+)?)?(?:Z|[+-]\d\d:\d\d)$/i;
/** RFC 9110, 5.6.7: the preferred form, and RFC 850's. */
const HTTP_DATE = /^[A-Z][a-z]+, \d\d[ -][A-Z][a-z]{2}[ -](?:\d\d|\d{4}) \d\d:\d\d:\d\d GMT$/;
/** RFC 9110, 5.6.7: asctime, which is GMT without saying so. */
const ASCTIME_DATE = /^[A-Z][a-z]{2} [A-Z][a-z]{2} [ \d]\d \d\d:\d\d:\d\d \d{4}$/;

/** Milliseconds from `nowMs` for the bare number of a header. */
type OfNumber = (value: number, nowMs: number) => number;

const seconds: OfNumber = (value) => value * 1_000;
const milliseconds: OfNumber = (value) => value;
/** A number of seconds, a Unix time in seconds, or one in milliseconds: their sizes do not overlap. */
const secondsOrEpoch: OfNumber = (value, nowMs) => {
  if (value >= 1e12) return value - nowMs;
  return value >= 1e9 ? value * 1_000 - nowMs : value * 1_000;
};

const headerForms: readonly (readonly [RegExp, OfNumber])[] = [
  [/^retry-after$/, seconds],
  [/^(?:x-ms-)?retry-after-ms$/, milliseconds],
  // Azure Cost Management has one for each of its quotas.
  [/^x-ms-ratelimit-[\w.-]+-retry-after$/, seconds],
  [/^(?:x-)?ratelimit-reset(?:-requests|-tokens)?$/, secondsOrEpoch],
  [/^anthropic-ratelimit-[\w-]+-reset$/, secondsOrEpoch],
];

/**
 * How long a failed answer asks us to wait, in whole milliseconds from `at`: the longest of
 * - `retry-after` (seconds or an HTTP date), `retry-after-ms`, Azure's `x-ms-ratelimit-…-retry-after`;
 * - `x-ratelimit-reset[-requests|-tokens]`, `ratelimit-reset` and `anthropic-ratelimit-…-reset`
 *   (seconds, Unix time, ISO time or a duration such as `6m0s`), unless the `…-remaining…` header
 *   beside it says that something is left: they come with every answer;
 * - Google's RetryInfo in the body.
 *
 * What cannot be read is ignored. A time that has passed is 0; nothing exceeds `RETRY_AFTER_MAX_MS`.
 *
 * @param body the parsed JSON; anything else is ignored
 * @returns null when the answer does not say
 */
export function retryAfterMs(
  headers: Readonly<Record<string, string>>,
  body: unknown,
  at: Date,
): number | null {
  const byName = new Map(
    Object.entries(headers).map(([name, value]) => [name.toLowerCase(), value]),
  );
  const nowMs = at.getTime();
  const waitsMs = [...byName].map(([name, value]) => {
    const ofNumber = headerForms.find(([form]) => form.test(name))?.[1];
    return ofNumber === undefined || hasRemaining(byName, name)
      ? null
      : waitMs(value, ofNumber, nowMs);
  });
  let longestMs: number | null = null;
  for (const ms of [...waitsMs, ...retryInfoMs(body)])
    if (ms !== null) longestMs = Math.max(longestMs ?? 0, ms);
  return longestMs === null ? null : Math.round(Math.min(longestMs, RETRY_AFTER_MAX_MS));
}

const hasRemaining = (headers: ReadonlyMap<string, string>, name: string): boolean =>
  name.includes('reset') && Number(headers.get(name.replace('reset', 'remaining')) ?? 0) > 0;

function waitMs(text: string, ofNumber: OfNumber, nowMs: number): number | null {
  const value = text.trim();
  if (NUMBER.test(value)) return ofNumber(Number(value), nowMs);
  return durationMs(value) ?? untilMs(value, nowMs);
}

function durationMs(text: string): number | null {
  if (!DURATION.test(text)) return null;
  return [...text.matchAll(DURATION_PART)].reduce(
    (sum, [, amount, unit = '']) => sum + Number(amount) * (unitMs[unit] ?? 0),
    0,
  );
}

function untilMs(text: string, nowMs: number): number | null {
  const isDate = ISO_TIME.test(text) || HTTP_DATE.test(text);
  if (!isDate && !ASCTIME_DATE.test(text)) return null;
  const dateMs = Date.parse(isDate ? text : `${text} GMT`);
  return Number.isNaN(dateMs) ? null : dateMs - nowMs;
}

const ErrorDetails = z.object({ error: z.object({ details: z.array(z.unknown()) }) });
/** `google.rpc.RetryInfo`. */
const RetryInfo = z.object({ retryDelay: z.string() });

function retryInfoMs(body: unknown): (number | null)[] {
  const details = ErrorDetails.safeParse(body).data?.error.details ?? [];
  return details.map((detail) => {
    const info = RetryInfo.safeParse(detail);
    return info.success ? durationMs(info.data.retryDelay) : null;
  });
}
