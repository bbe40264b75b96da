import fc from 'fast-check';
import { describe, expect, it, vi } from 'vitest';

import { RETRY_AFTER_MAX_MS, retryAfterMs } from '../../../shared/execution/retry-after.ts';

const at = new Date('2026-03-01T12:00:00.000Z');
const epochS = at.getTime() / 1_000;
const wait = (headers: Record<string, string>, body: unknown = null) =>
  retryAfterMs(headers, body, at);

const retryInfo = (...delays: unknown[]) => ({
  error: {
    code: 429,
    status: 'RESOURCE_EXHAUSTED',
    details: [
      { '@type': 'type.googleapis.com/google.rpc.Help', links: [] },
      ...delays.map((retryDelay) => ({
        '@type': 'type.googleapis.com/google.rpc.RetryInfo',
        retryDelay,
      })),
    ],
  },
});

describe('case 28: Retry-After', () => {
  it.each([
    ['30', 30_000],
    [' 30 ', 30_000],
    ['0', 0],
    ['1.5', 1_500],
    ['0.25', 250],
  ])('case 28: reads %j as seconds', (value, ms) => {
    expect(wait({ 'retry-after': value })).toBe(ms);
  });

  it.each([
    'Sun, 01 Mar 2026 12:00:10 GMT',
    'Sunday, 01-Mar-26 12:00:10 GMT',
    'Sun Mar  1 12:00:10 2026',
  ])('case 28: reads the HTTP date %j', (value) => {
    expect(wait({ 'retry-after': value })).toBe(10_000);
  });

  it('case 28: takes asctime for GMT wherever it runs', () => {
    vi.stubEnv('TZ', 'Asia/Tehran');
    try {
      expect(new Date(0).getTimezoneOffset()).not.toBe(0);
      expect(wait({ 'retry-after': 'Sun Mar  1 12:00:10 2026' })).toBe(10_000);
    } finally {
      vi.unstubAllEnvs();
    }
  });

  it('case 28: is 0 for a date that has passed', () => {
    expect(wait({ 'retry-after': 'Sun, 01 Mar 2026 11:00:00 GMT' })).toBe(0);
    expect(wait({ 'x-ratelimit-reset': String(epochS - 60) })).toBe(0);
    expect(wait({ 'anthropic-ratelimit-tokens-reset': '2026-03-01T11:59:59Z' })).toBe(0);
  });

  it.each([
    '',
    'soon',
    '-5',
    'NaN',
    'Infinity',
    '1e3',
    '0x10',
    '5, 10',
    'garbage 5',
    '1-2-3',
    '-10s',
    '5 s',
    '10x',
    'Sun, 99 Mar 2026 12:00:10 GMT',
    '2026-99-99T00:00:00Z',
    '2026-03-01 12:00:10',
  ])('case 28: ignores %j', (value) => {
    expect(wait({ 'retry-after': value })).toBeNull();
    expect(wait({ 'x-ratelimit-reset': value })).toBeNull();
    expect(wait({ 'retry-after-ms': value })).toBeNull();
  });

  it.each([
    { 'retry-after': '86401' },
    { 'retry-after': '9'.repeat(400) },
    { 'retry-after': 'Fri, 01 Jan 2100 00:00:00 GMT' },
    { 'retry-after-ms': '99999999999' },
    { 'x-ratelimit-reset': '999999999999999999999' },
    { 'x-ratelimit-reset-tokens': `${'9'.repeat(400)}h` },
  ])('case 28: waits a day at most, for %j', (headers) => {
    expect(wait(headers)).toBe(RETRY_AFTER_MAX_MS);
    expect(RETRY_AFTER_MAX_MS).toBe(86_400_000);
  });

  it('says nothing when the answer does not', () => {
    expect(wait({})).toBeNull();
    expect(wait({ 'content-type': 'application/json', 'x-retry-after': '5' })).toBeNull();
  });

  it('reads header names in any case', () => {
    expect(wait({ 'Retry-After': '7' })).toBe(7_000);
  });
});

describe('the headers of vendors', () => {
  it('reads retry-after-ms as milliseconds', () => {
    expect(wait({ 'retry-after-ms': '1500' })).toBe(1_500);
    expect(wait({ 'x-ms-retry-after-ms': '20.4' })).toBe(20);
  });

  it("takes the largest of Azure Cost Management's four quotas", () => {
    const quota = (name: string) => `x-ms-ratelimit-microsoft.costmanagement-${name}-retry-after`;
    expect(
      wait({
        [quota('qpu')]: '8',
        [quota('entity')]: '30',
        [quota('tenant')]: '10',
        [quota('client')]: '45',
      }),
    ).toBe(45_000);
  });

  it.each([
    [String(epochS + 42), 42_000],
    [`${epochS + 42}.5`, 42_500],
    [String((epochS + 42) * 1_000), 42_000],
    ['42', 42_000],
    ['0.5', 500],
    ['2026-03-01T12:00:42Z', 42_000],
    ['2026-03-01T13:00:42.250+01:00', 42_250],
    ['Sun, 01 Mar 2026 12:00:42 GMT', 42_000],
    ['6m0s', 360_000],
    ['1s', 1_000],
    ['120ms', 120],
    ['1h2m3.5s', 3_723_500],
    ['1m0.5s', 60_500],
    ['250us', 0],
    ['1500µs', 2],
  ])('reads a reset at %j', (value, ms) => {
    for (const name of [
      'x-ratelimit-reset',
      'x-ratelimit-reset-requests',
      'x-ratelimit-reset-tokens',
      'ratelimit-reset',
      'anthropic-ratelimit-requests-reset',
      'anthropic-ratelimit-input-tokens-reset',
    ])
      expect(wait({ [name]: value }), name).toBe(ms);
  });

  it.each([
    ['x-ratelimit-reset', 'x-ratelimit-remaining'],
    ['x-ratelimit-reset-requests', 'x-ratelimit-remaining-requests'],
    ['x-ratelimit-reset-tokens', 'x-ratelimit-remaining-tokens'],
    ['ratelimit-reset', 'ratelimit-remaining'],
    ['anthropic-ratelimit-requests-reset', 'anthropic-ratelimit-requests-remaining'],
    ['anthropic-ratelimit-output-tokens-reset', 'anthropic-ratelimit-output-tokens-remaining'],
  ])('waits for %s only while %s is absent or 0', (reset, remaining) => {
    expect(wait({ [reset]: '30' })).toBe(30_000);
    expect(wait({ [reset]: '30', [remaining]: '0' })).toBe(30_000);
    expect(wait({ [reset]: '30', [remaining]: '-1' })).toBe(30_000);
    expect(wait({ [reset]: '30', [remaining]: '1' })).toBeNull();
    expect(wait({ [reset]: '30', [remaining]: '1', 'retry-after': '5' })).toBe(5_000);
  });

  it('judges each window by its own remainder', () => {
    expect(
      wait({
        'x-ratelimit-remaining-requests': '59',
        'x-ratelimit-reset-requests': '20s',
        'x-ratelimit-remaining-tokens': '0',
        'x-ratelimit-reset-tokens': '6m0s',
      }),
    ).toBe(360_000);
  });
});

describe("Google's RetryInfo", () => {
  it('is found among the details', () => {
    expect(wait({}, retryInfo('13s'))).toBe(13_000);
    expect(wait({}, retryInfo('13.250s', '2s'))).toBe(13_250);
  });

  it('is ignored where it is not one', () => {
    for (const body of [
      retryInfo('soon', '-3s', 13, null, {}),
      { error: { details: 'none' } },
      { error: { details: [null, 5, 'x', []] } },
      { error: null },
      { error: 'invalid_grant' },
      [],
      'retryDelay',
      undefined,
    ])
      expect(wait({}, body)).toBeNull();
  });
});

describe('over all formats', () => {
  const names = [
    'retry-after',
    'retry-after-ms',
    'x-ratelimit-reset',
    'x-ratelimit-reset-tokens',
    'anthropic-ratelimit-requests-reset',
  ];
  const values = fc.oneof(
    fc.string(),
    fc.integer().map(String),
    fc.double({ noNaN: true }).map(String),
    fc.date({ noInvalidDate: true }).map((date) => date.toISOString()),
    fc.date({ noInvalidDate: true }).map((date) => date.toUTCString()),
    fc.integer({ min: 0, max: 100_000 }).map((amount) => `${amount}ms`),
  );
  const headers = fc.dictionary(fc.constantFrom(...names), values);

  it('case 28: is null, or whole milliseconds from 0 to a day, whatever is sent', () => {
    fc.assert(
      fc.property(headers, fc.anything(), (sent, body) => {
        const ms = wait(sent, body);
        if (ms === null) return;
        expect(Number.isInteger(ms)).toBe(true);
        expect(ms).toBeGreaterThanOrEqual(0);
        expect(ms).toBeLessThanOrEqual(RETRY_AFTER_MAX_MS);
      }),
    );
  });

  it('case 28: takes the longest', () => {
    fc.assert(
      fc.property(headers, fc.integer({ min: 0, max: 5_000 }), (sent, delayS) => {
        const each = Object.entries(sent).map(([name, value]) => wait({ [name]: value }) ?? 0);
        expect(wait(sent, retryInfo(`${delayS}s`))).toBe(Math.max(delayS * 1_000, ...each));
      }),
    );
  });
});
