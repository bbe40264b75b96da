import { mkdtempSync, readFileSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, describe, expect, it, vi } from 'vitest';

import { type Log, createLog, redact } from '../../shared/runtime/log.ts';

let folder: string;
beforeEach(() => void (folder = mkdtempSync(join(tmpdir(), 'purvey-log-'))));
afterEach(() => rmSync(folder, { recursive: true }));

type Line = Record<string, unknown>;

/** What `write` leaves in the log's file: the text, and each line parsed. */
async function logged(write: (log: Log) => void, level: 'debug' | 'info' = 'debug') {
  const file = join(folder, 'new', 'purvey.log');
  const log = createLog({ environment: 'local', log_level: level, log_file: file });
  write(log);
  log.error('the end');
  const text = await vi.waitFor(() => {
    const content = readFileSync(file, 'utf8');
    if (!content.includes('the end')) throw new Error('not written yet');
    return content;
  });
  const lines = text.trim().split('\n');
  return { text, lines: lines.slice(0, -1).map((line) => JSON.parse(line) as Line) };
}

const HEX = '0123456789abcdef'.repeat(4);
const SECRETS = [
  `aex_pk_live_${HEX}`,
  `aex_sk_live_${HEX}`,
  `pv_org_${HEX}`,
  `pv_op_${HEX}`,
  'whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw+/==',
  'Bearer ya29.a0AfH6SM-x_y~z',
  'bearer abc.def',
  'eyJhbGciOiJSUzI1NiJ9.eyJlbWFpbCI6ImEifQ.c2lnbmF0dXJl',
  'eyJhbGciOiJSUzI1NiJ9.eyJlbWFpbCI6ImEifQ.',
];
/** The part of a secret that must not be seen. */
const hidden = (secret: string) => secret.replace(/^(\w+_|bearer |eyJ)/i, '').slice(0, 20);

describe('a log line', () => {
  it('is what Cloud Logging reads: severity, message and time', async () => {
    const { lines } = await logged((log) => {
      log.debug('one');
      log.info({ function: 'health' }, 'two');
      log.warn('three');
      log.error('four');
    });
    expect(lines).toEqual([
      { severity: 'DEBUG', time: expect.any(String), message: 'one' },
      { severity: 'INFO', time: expect.any(String), function: 'health', message: 'two' },
      { severity: 'WARNING', time: expect.any(String), message: 'three' },
      { severity: 'ERROR', time: expect.any(String), message: 'four' },
    ]);
    for (const { time } of lines) expect(time).toMatch(/^\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{3}Z$/);
  });

  it('of a child keeps severity and what the child is about', async () => {
    const { lines } = await logged((log) => log.child({ request_id: 'req_1' }).warn('hm'));
    expect(lines).toMatchObject([{ severity: 'WARNING', request_id: 'req_1', message: 'hm' }]);
  });

  it('tells an error with its stack and its causes', async () => {
    const cause = new Error('the disk is full');
    const { lines } = await logged((log) =>
      log.error({ err: new TypeError('not saved', { cause }) }, 'failed'),
    );
    expect(lines).toMatchObject([{ err: { type: 'TypeError', message: expect.any(String) } }]);
    expect(JSON.stringify(lines)).toContain('the disk is full');
    expect(JSON.stringify(lines)).toContain('log.test.ts');
  });

  it('below the configured level is not written', async () => {
    const { lines } = await logged((log) => log.debug('quiet'), 'info');
    expect(lines).toEqual([]);
  });
});

describe('no secret is logged', () => {
  it.each(SECRETS)('%s', async (secret) => {
    const { text, lines } = await logged((log) => {
      log.info(`in the message ${secret} here`);
      log.info({ deep: { list: [{ value: secret }] } }, 'in a field');
      log.error({ err: new Error(`refused ${secret}`) }, 'in an error');
      log.child({ bound: secret }).info('in a binding');
    });
    expect(lines).toHaveLength(4);
    expect(text).not.toContain(hidden(secret));
    expect(text.match(/\[redacted\]/g)?.length).toBeGreaterThanOrEqual(4);
  });

  it('not even one without a shape, in a field that is known to hold one', async () => {
    const secret = 'correct horse battery staple';
    const fields = {
      authorization: secret,
      api_key: secret,
      api_secret: secret,
      webhook_secret: secret,
      operator_key: secret,
      headers: { 'x-operator-key': secret, cookie: secret },
    };
    const { text } = await logged((log) => {
      log.info(fields, 'at the top');
      log.info({ request: fields }, 'one deep');
    });
    expect(text).not.toContain(secret);
    expect(text).not.toContain('x-operator-key');
  });

  it('and what is redacted still says what kind it was', () => {
    expect(redact(`key aex_pk_live_${HEX}, then`)).toBe('key aex_pk_live_[redacted], then');
    expect(redact('whsec_MfKQ9r8GKYqrTwj/+==')).toBe('whsec_[redacted]');
    expect(redact('Authorization: Bearer abc')).toBe('Authorization: Bearer [redacted]');
  });

  it('while ordinary text stays as it is', () => {
    const text = 'provider prov_0123456789abcdef, key key_0123456789abcdef, the bearer';
    expect(redact(text)).toBe(text);
  });
});
