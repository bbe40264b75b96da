import { createServer } from 'node:http';
import type { AddressInfo } from 'node:net';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';

import { type TestPurvey, startAgent, startTestPurvey } from '../../support/purvey.ts';
import {
  changesNothing,
  exhaust,
  expectNothingLeaked,
  ok,
  refused,
  refusesBodies,
  registerProvider,
  statusesOf,
  storedIn,
  storedText,
} from '../support.ts';

const path = '/v1/providers';
const HOUR_S = 3_600;

/** A web server that answers every request alike. */
async function answering(status: number, page = ''): Promise<{ url: string; close: () => void }> {
  const server = createServer((_, res) => void res.writeHead(status).end(page));
  await new Promise<void>((done) => server.listen(0, '127.0.0.1', done));
  const { port } = server.address() as AddressInfo;
  return { url: `http://127.0.0.1:${port}/a2a`, close: () => void server.close() };
}

describe('registering a provider', () => {
  let purvey: TestPurvey;
  let agent: Awaited<ReturnType<typeof startAgent>>;
  const minimal = (name: string) => ({ name, endpoint: agent.url });
  const register = (body: unknown, headers: Record<string, string> = {}) =>
    purvey.call('POST', path, { body, headers });

  beforeAll(async () => {
    purvey = await startTestPurvey();
    agent = await startAgent();
  });
  afterAll(async () => {
    await purvey.close();
    await agent.close();
  });

  test("answers the specification's request with its response, keys included", async () => {
    const reply = await register({
      name: 'Expedia Travel Agent',
      description: 'Full-service travel booking and search',
      endpoint: `${agent.url}/a2a`,
      bid_webhook: `${agent.url}/aex/work`,
      capabilities: ['travel.booking', 'travel.search', 'hospitality.hotels'],
      contact_email: 'agents@expedia.example',
      metadata: { company: 'Expedia Group', region: 'global' },
      cpa_preferences: {
        accepts_cpa_terms: true,
        max_penalty_accepted: 0.25,
        verification_support: ['confirmation_number', 'receipt', 'api_callback'],
        supported_metrics: ['booking_confirmed', 'response_time_ms', 'price_accuracy'],
      },
      pricing_tiers: [
        {
          category: 'travel.booking',
          base_price_range: [0.05, 0.15],
          accepts_cpa: true,
          min_bonus_for_cpa: 0.02,
          max_penalty_for_cpa: 0.25,
        },
      ],
    });
    expect(reply.status).toBe(200);
    expect(reply.body).toEqual({
      provider_id: expect.stringMatching(/^prov_[0-9a-f]{16}$/),
      api_key: expect.stringMatching(/^aex_pk_live_[0-9a-f]{64}$/),
      api_secret: expect.stringMatching(/^aex_sk_live_[0-9a-f]{64}$/),
      status: 'PENDING_VERIFICATION',
      trust_tier: 'UNVERIFIED',
      cpa_enabled: true,
      cpa_status: 'PENDING_CERTIFICATION',
      created_at: new Date(purvey.clock.nowMs()).toISOString(),
    });
  });

  test('stores neither key, nowhere', async () => {
    const { key, secret } = await registerProvider(purvey, minimal('Discreet'));
    expect(storedText(purvey)).not.toContain(key);
    expect(storedText(purvey)).not.toContain(secret);
  });

  test('takes what existing clients send: a placeholder key, empty strings, fields it does not know', async () => {
    const reply = await register(
      {
        ...minimal('Legacy agent'),
        bid_webhook: '',
        contact_email: '',
        description: '',
        supported_protocols: ['a2a'],
      },
      { 'x-api-key': 'dev-api-key' },
    );
    expect(reply.status).toBe(200);
    expect(reply.body).toMatchObject({ cpa_enabled: false, cpa_status: null });
    expect(reply.body.api_key).toMatch(/^aex_pk_live_/);
  });

  test('believes nothing that a provider says about its own trust', async () => {
    const { id } = await registerProvider(purvey, {
      ...minimal('Boaster'),
      trust_score: 1,
      trust_tier: 'PREFERRED',
      status: 'ACTIVE',
      metadata: { trust_score: 0.99, trust_tier: 'PREFERRED' },
    });
    const { body } = await purvey.call('GET', `${path}/${id}`);
    expect(body).toMatchObject({
      trust_score: 0.3,
      trust_tier: 'UNVERIFIED',
      status: 'PENDING_VERIFICATION',
    });
  });

  test('clamps a penalty above the cap, and says so', async () => {
    const reply = await register({
      ...minimal('Daredevil'),
      cpa_preferences: { max_penalty_accepted: 0.8 },
    });
    expect(reply.body.warnings).toEqual([expect.stringMatching(/0\.8 .* 0\.5/)]);
  });

  describe('with an Idempotency-Key', () => {
    test('answers a repetition the same, but never shows the keys again', async () => {
      const headers = { 'idempotency-key': 'registration-1' };
      const first = await register(minimal('Repeater'), headers);
      const again = await changesNothing(purvey, () => register(minimal('Repeater'), headers));
      const { api_key, api_secret, ...rest } = first.body;
      expect([api_key, api_secret]).toEqual([expect.any(String), expect.any(String)]);
      expect(again.status).toBe(200);
      expect(again.body).toEqual({
        ...rest,
        withheld: ['api_key', 'api_secret'],
        notice: expect.stringMatching(/shown once/),
      });
      expectNothingLeaked(purvey, again);
    });

    test('refuses the key for another body', async () => {
      const headers = { 'x-idempotency-key': 'registration-2' };
      await ok(register(minimal('Original'), headers));
      expect(
        await refused(purvey, ['POST', path, { body: minimal('Changed'), headers }]),
      ).toMatchObject({ code: 'idempotency_mismatch' });
    });

    test('leaves the key free when it refuses', async () => {
      const headers = { 'idempotency-key': 'registration-3' };
      await ok(register(minimal('Occupied')));
      expect(
        await refused(purvey, ['POST', path, { body: minimal('Occupied'), headers }]),
      ).toMatchObject({ code: 'name_taken' });
      expect((await register(minimal('Unoccupied'), headers)).status).toBe(200);
    });

    test.each([
      ['one that is too long', 'a'.repeat(256)],
      ['one with a space', 'a b'],
      ['an empty one', ''],
    ])('refuses %s', async (_, key) => {
      const headers = { 'idempotency-key': key };
      expect(
        await refused(purvey, ['POST', path, { body: minimal('Keyless'), headers }]),
      ).toMatchObject({ code: 'invalid_request', details: [{ field: 'header.idempotency-key' }] });
    });
  });

  describe('under a name that is taken', () => {
    let owner: { id: string; key: string };
    let stranger: { key: string };
    beforeAll(async () => {
      owner = await registerProvider(purvey, minimal('Famous Agency'));
      stranger = await registerProvider(purvey, minimal('Stranger'));
    });

    test('gives its authenticated owner the same id without keys, and changes nothing', async () => {
      const reply = await changesNothing(purvey, () =>
        purvey.call('POST', path, { body: minimal('Famous Agency'), as: { provider: owner.key } }),
      );
      expect(reply.status).toBe(200);
      expect(reply.body).toEqual({
        provider_id: owner.id,
        status: 'PENDING_VERIFICATION',
        trust_tier: 'UNVERIFIED',
        cpa_enabled: false,
        cpa_status: null,
        created_at: expect.any(String),
        withheld: ['api_key', 'api_secret'],
        notice: expect.any(String),
      });
    });

    test.each(['Famous Agency', '  famous   AGENCY ', 'Ｆamous Agency'])(
      'refuses a stranger who asks for "%s", and does not say whose it is',
      async (name) => {
        for (const as of [undefined, { provider: stranger.key }]) {
          const reply = await refused(purvey, ['POST', path, { body: minimal(name), as }]);
          expect(reply).toMatchObject({ code: 'name_taken' });
          expect(JSON.stringify(reply)).not.toContain(owner.id);
        }
      },
    );

    test('lets exactly one of several win who come at once', async () => {
      const replies = await Promise.all(
        Array.from({ length: 4 }, () => register(minimal('Contested'))),
      );
      expect(statusesOf(replies)).toEqual([200, 409, 409, 409]);
      const refusals = replies.filter(({ status }) => status !== 200);
      expect(refusals.map(({ body }) => body.error.code)).toEqual(refusals.map(() => 'name_taken'));
      expect(storedIn(purvey, 'provider_names')).toHaveLength(storedIn(purvey, 'providers').length);
    });
  });

  describe('probes the endpoint', () => {
    test('and takes any answer below 500 for one that is there', async () => {
      const server = await answering(401);
      expect((await register({ name: 'Guarded', endpoint: server.url })).status).toBe(200);
      server.close();
    });

    test('and does not mind a long page', async () => {
      const server = await answering(200, 'x'.repeat(1_000_000));
      expect((await register({ name: 'Verbose', endpoint: server.url })).status).toBe(200);
      server.close();
    });

    test('and refuses one that answers 500', async () => {
      const server = await answering(500);
      expect(
        await refused(purvey, ['POST', path, { body: { name: 'Broken', endpoint: server.url } }]),
      ).toMatchObject({
        code: 'endpoint_not_accessible',
        details: [{ field: 'body.endpoint', reason: 'it answered 500' }],
      });
      server.close();
    });

    test('and refuses one where nothing listens', async () => {
      const server = await answering(200);
      server.close();
      const reply = await refused(purvey, [
        'POST',
        path,
        { body: { name: 'Absent', endpoint: server.url } },
      ]);
      expect(reply).toMatchObject({
        code: 'endpoint_not_accessible',
        details: [{ field: 'body.endpoint', reason: 'no connection could be made' }],
      });
      expect(reply.message).toMatch(/^Endpoint not accessible/);
    });
  });

  const tier = (given: object) => ({
    pricing_tiers: [{ category: 'travel.*', base_price_range: [1, 2], ...given }],
  });
  refusesBodies(
    () => purvey,
    () => ['POST', path, { body: minimal('Never stored') }],
    [
      ['no name', { name: undefined }, 'name', 'is required'],
      ['a name that is no text', { name: 7 }, 'name', 'must be a string'],
      ['a blank name', { name: '  ' }, 'name', /blank|empty/],
      ['a name that is too long', { name: 'x'.repeat(121) }, 'name', /most 120/],
      ['no endpoint', { endpoint: undefined }, 'endpoint', 'is required'],
      ['an empty endpoint', { endpoint: '' }, 'endpoint', /http\(s\) URL/],
      ['an endpoint that is no URL', { endpoint: 'expedia' }, 'endpoint', /http\(s\) URL/],
      ['another scheme', { endpoint: 'file:///etc/passwd' }, 'endpoint', /http\(s\) URL/],
      ['a line end in the URL', { endpoint: 'https://x.example/\nb' }, 'endpoint', /http\(s\) URL/],
      ['credentials in the URL', { endpoint: 'https://u:p@x.example/' }, 'endpoint', /user name/],
      ['a webhook that is no URL', { bid_webhook: 'javascript:1' }, 'bid_webhook', /http\(s\) URL/],
      ['capabilities that are no list', { capabilities: 'travel' }, 'capabilities', /array/],
      ['a capability that is no text', { capabilities: [1] }, 'capabilities.0', /string/],
      ['a malformed e-mail address', { contact_email: 'agents@' }, 'contact_email', /email/i],
      ['metadata that is no object', { metadata: [] }, 'metadata', /./],
      ['lists in lists in the metadata', { metadata: { a: [[1]] } }, 'metadata', /list/],
      ['reserved keys in the metadata', { metadata: { __a__: 1 } }, 'metadata', /__key__/],
      ['too long a key', { metadata: { a: { ['k'.repeat(1_501)]: 1 } } }, 'metadata', /1500 bytes/],
      ['a very long list', { metadata: { a: Array(200_000).fill(1) } }, 'metadata', /16 KiB/],
      ['too much metadata', { metadata: { a: 'x'.repeat(17_000) } }, 'metadata', /16 KiB/],
      [
        'a negative penalty',
        { cpa_preferences: { max_penalty_accepted: -0.1 } },
        'cpa_preferences.max_penalty_accepted',
        'must not be negative',
      ],
      [
        'a metric that is not known',
        { cpa_preferences: { supported_metrics: ['booking_confirmed', 'luck'] } },
        'cpa_preferences.supported_metrics.1',
        /^Unknown metric: luck/,
      ],
      [
        'a kind of verification that is not known',
        { cpa_preferences: { verification_support: ['oath'] } },
        'cpa_preferences.verification_support.0',
        /^Invalid verification type: oath/,
      ],
      [
        'a negative price',
        tier({ base_price_range: [-1, 2] }),
        'pricing_tiers.0.base_price_range.0',
        'must not be negative',
      ],
      [
        'a price range upside down',
        tier({ base_price_range: [2, 1] }),
        'pricing_tiers.0.base_price_range',
        'must be [lowest, highest]',
      ],
      [
        'a negative bonus',
        tier({ min_bonus_for_cpa: -1 }),
        'pricing_tiers.0.min_bonus_for_cpa',
        'must not be negative',
      ],
      [
        'a price that is no number',
        tier({ base_price_range: ['one', 2] }),
        'pricing_tiers.0.base_price_range.0',
        /decimal/,
      ],
      [
        'a malformed category',
        tier({ category: 'travel.[' }),
        'pricing_tiers.0.category',
        /malformed pattern/,
      ],
    ],
  );

  test('names every wrong field at once', async () => {
    const reply = await refused(purvey, [
      'POST',
      path,
      { body: { name: 7, contact_email: 'x', capabilities: {} } },
    ]);
    expect(reply).toMatchObject({ code: 'invalid_request' });
    const fields = reply.details.map(({ field }: { field: string }) => field);
    expect(fields.toSorted()).toEqual([
      'body.capabilities',
      'body.contact_email',
      'body.endpoint',
      'body.name',
    ]);
  });

  describe('too often', () => {
    test('for one target host is refused, other hosts stay open', async () => {
      const { host } = new URL(agent.url);
      await purvey.clock.advance(HOUR_S * 1_000);
      await exhaust(purvey, `registration-host:${host}`, { limit: 300, windowS: HOUR_S });
      const reply = await refused(purvey, ['POST', path, { body: minimal('Flooder') }]);
      expect(reply).toMatchObject({ code: 'rate_limited' });
      expect(Number(reply.headers.get('retry-after'))).toBeGreaterThan(0);
      const other = await startAgent();
      expect((await register({ name: 'Elsewhere', endpoint: other.url })).status).toBe(200);
      await other.close();
    });

    test('from one address is refused until the window ends, whatever key comes along', async () => {
      await purvey.clock.advance(HOUR_S * 1_000);
      const { key } = await registerProvider(purvey, minimal('Patient'));
      await exhaust(purvey, 'registration:127.0.0.1', { limit: 300, windowS: HOUR_S });
      const reply = await refused(purvey, ['POST', path, { body: minimal('Eager') }]);
      expect(reply).toMatchObject({ code: 'rate_limited' });
      const retryAfterS = Number(reply.headers.get('retry-after'));
      expect(retryAfterS).toBeGreaterThan(0);
      expect(retryAfterS).toBeLessThanOrEqual(HOUR_S);
      const own = { body: minimal('Patient'), as: { provider: key } };
      expect((await purvey.call('POST', path, own)).status).toBe(429);
      await purvey.clock.advance(retryAfterS * 1_000);
      expect((await register(minimal('Eager'))).status).toBe(200);
    });
  });
});

describe('where insecure endpoints are not allowed', () => {
  let purvey: TestPurvey;
  beforeAll(async () => {
    purvey = await startTestPurvey({ env: { ALLOW_INSECURE_ENDPOINTS: 'false' } });
  });
  afterAll(() => purvey.close());

  test.each([
    ['http://agent.example/', /https/],
    ['https://127.0.0.1/', /public address/],
    ['https://0x7f.1/', /public address/],
    ['https://[::1]/', /public address/],
    ['https://[::ffff:10.0.0.1]/', /public address/],
    ['https://169.254.169.254/computeMetadata/v1/', /public address/],
    ['https://metadata.google.internal/', /public address/],
    ['https://localhost:8443/', /public address/],
    ['https://agent.example:22/', /port/],
  ])('registering %s is refused before anything is sent', async (endpoint, reason) => {
    expect(
      await refused(purvey, ['POST', path, { body: { name: 'Intruder', endpoint } }]),
    ).toMatchObject({
      code: 'endpoint_not_accessible',
      details: [{ field: 'body.endpoint', reason: expect.stringMatching(reason) }],
    });
  });
});
