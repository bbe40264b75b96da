import { afterAll, beforeAll, describe, expect, it } from 'vitest';

import { startTestPurvey, type TestPurvey } from '../../support/purvey.ts';
import { ACTIONS, LOOKS, raw } from './support.ts';

let purvey: TestPurvey;
beforeAll(async () => void (purvey = await startTestPurvey()));
afterAll(() => purvey.close());

const routes = [
  ...LOOKS.map((path) => ['GET', path] as const),
  ['GET', '/document?path=providers/x'] as const,
  ...ACTIONS.map((path) => ['POST', path] as const),
];
const key = () => ({
  'x-operator-key': purvey.operatorKey,
  'content-type': 'application/json',
});
const statusOf = async (method: string, path: string, headers: Record<string, string>) =>
  (await raw(purvey, `/_local/api${path}`, { method, headers })).status;

describe.each(routes)('%s %s', (method, path) => {
  it('wants the operator key', async () => {
    expect(await statusOf(method, path, {})).toBe(401);
    expect(await statusOf(method, path, { 'x-operator-key': `${purvey.operatorKey}0` })).toBe(401);
  });

  it('refuses another Host, as of a name that was made to resolve to loopback', async () => {
    const host = `evil.example:${new URL(purvey.url).port}`;
    expect(await statusOf(method, path, { ...key(), host })).toBe(403);
    for (const other of ['localhost.evil.example', '0.0.0.0', '10.0.0.1'])
      expect(await statusOf(method, path, { ...key(), host: other })).toBe(403);
  });

  it('refuses what comes from another site, another port or a sandboxed frame', async () => {
    for (const origin of ['https://evil.example', 'http://127.0.0.1:1', 'null'])
      expect(await statusOf(method, path, { ...key(), origin })).toBe(403);
    for (const site of ['cross-site', 'same-site'])
      expect(await statusOf(method, path, { ...key(), 'sec-fetch-site': site })).toBe(403);
  });
});

describe('the inspector', () => {
  it('takes its own page under each name of loopback', async () => {
    const { port } = new URL(purvey.url);
    for (const name of ['127.0.0.1', 'localhost', '[::1]']) {
      const host = `${name}:${port}`;
      const own = { host, origin: `http://${host}`, 'sec-fetch-site': 'same-origin' };
      expect(await statusOf('GET', '/overview', { ...key(), ...own })).toBe(200);
    }
  });

  it('takes actions as JSON only, which no form of another site can send', async () => {
    const form = { ...key(), 'content-type': 'text/plain' };
    expect(await statusOf('POST', '/counters/reset', form)).toBe(400);
    expect(await statusOf('POST', '/counters/reset', key())).toBe(200);
  });

  it('does nothing on GET, and knows no other method', async () => {
    expect(await statusOf('GET', '/counters/reset', key())).toBe(404);
    expect(await statusOf('DELETE', '/counters', key())).toBe(404);
  });

  it('says what is wrong with a request', async () => {
    const reply = await purvey.call('POST', '/_local/api/clock', {
      as: 'operator',
      body: { advance_ms: -5 },
    });
    expect(reply.status).toBe(400);
    expect(reply.body.error).toMatchObject({
      code: 'invalid_request',
      message: expect.stringContaining('advance_ms'),
      request_id: expect.stringMatching(/^req_/),
    });
    for (const body of ['{', '[]', { advance_ms: '5' }, { advance_ms: 1, more: 1 }, {}])
      expect(
        (await purvey.call('POST', '/_local/api/clock', { as: 'operator', body })).status,
      ).toBe(400);
  });
});
