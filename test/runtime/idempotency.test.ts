import { afterAll, afterEach, beforeAll, describe, expect, it } from 'vitest';

import { type TestPurvey, startTestPurvey } from '../support/purvey.ts';
import { serve } from './support/http-server.ts';

let purvey: TestPurvey;
beforeAll(async () => {
  purvey = await startTestPurvey();
});
afterEach(() => purvey.cloud.faults.clear());
afterAll(() => purvey.close());

let names = 0;
const newName = () => `Provider ${++names}`;

/** An endpoint that answers at once, or once `release` is called. */
async function startEndpoint(held = false) {
  let release = () => {};
  const released = held ? new Promise<void>((done) => (release = done)) : Promise.resolve();
  let calls = 0;
  let arrive = () => {};
  const arrived = new Promise<void>((done) => (arrive = done));
  const url = await serve((_req, res) => {
    calls++;
    arrive();
    void released.then(() => res.end('{}'));
  });
  return { url, arrived, release: () => release(), calls: () => calls };
}

const register = (key: string, body: unknown, header = 'idempotency-key') =>
  purvey.call('POST', '/v1/providers', { body, headers: { [header]: key } });

const nameTaken = async (name: string): Promise<number> => {
  const { body } = await purvey.call('GET', '/v1/providers?status=PENDING_VERIFICATION&limit=100', {
    as: 'operator',
  });
  return body.providers.filter((provider: { name: string }) => provider.name === name).length;
};

describe('a POST repeated with its Idempotency-Key', () => {
  it.each(['Idempotency-Key', 'X-Idempotency-Key'])(
    'in %s is answered as before, but without the secrets, and says so',
    async (header) => {
      const endpoint = await startEndpoint();
      const body = { name: newName(), endpoint: endpoint.url };
      const first = await register(`same-${header}`, body, header);
      expect(first.status).toBe(200);
      expect(first.body.api_key).toMatch(/^aex_pk_live_/);

      const { api_key: _, api_secret: __, ...kept } = first.body;
      const second = await register(`same-${header}`, body, header);
      expect(second.status).toBe(200);
      expect(second.body).toEqual({
        ...kept,
        withheld: ['api_key', 'api_secret'],
        notice: expect.stringContaining('were shown once'),
      });
      expect(JSON.stringify(second.body)).not.toContain(first.body.api_key);
      expect(endpoint.calls()).toBe(1);
      expect(await nameTaken(body.name)).toBe(1);
    },
  );

  it('keeps its status', async () => {
    const create = () =>
      purvey.call('POST', '/api/v1/orgs', {
        as: 'operator',
        body: { org_slug: 'repeated', name: 'Repeated' },
        headers: { 'idempotency-key': 'org' },
      });
    const [first, second] = [await create(), await create()];
    expect([first.status, second.status]).toEqual([201, 201]);
    expect(second.body).toEqual(first.body);
  });

  it('but another body is refused with 422 and does nothing', async () => {
    const endpoint = await startEndpoint();
    const body = { name: newName(), endpoint: endpoint.url };
    await register('other-body', body);
    const other = await register('other-body', { ...body, name: newName() });
    expect(other.status).toBe(422);
    expect(other.body.error.code).toBe('idempotency_mismatch');
    expect(endpoint.calls()).toBe(1);
  });

  it('is another request for another caller or another function', async () => {
    const endpoint = await startEndpoint();
    const headers = { 'idempotency-key': 'shared' };
    const org = { org_slug: 'shared_key', name: 'Shared' };
    const provider = { name: newName(), endpoint: endpoint.url };
    expect((await register('shared', provider)).status).toBe(200);
    const asOperator = await purvey.call('POST', '/api/v1/orgs', {
      as: 'operator',
      body: org,
      headers,
    });
    expect(asOperator.status).toBe(201);
    const other = { name: newName(), endpoint: endpoint.url };
    const registered = await purvey.call('POST', '/v1/providers', {
      as: 'operator',
      body: other,
      headers,
    });
    expect(registered.status).toBe(200);
    expect(registered.body.api_key).toBeDefined();
  });

  it('runs again after a refusal, for a refusal leaves nothing behind', async () => {
    const endpoint = await startEndpoint();
    const body = { name: newName(), endpoint: 'http://127.0.0.1:9' };
    expect((await register('refused', body)).status).toBe(400);
    const mended = await register('refused', { ...body, endpoint: endpoint.url });
    expect(mended.status).toBe(200);
    expect(mended.body.api_key).toBeDefined();
  });

  it('runs anew after 24 hours', async () => {
    const endpoint = await startEndpoint();
    const first = { name: newName(), endpoint: endpoint.url };
    expect((await register('day', first)).status).toBe(200);
    await purvey.clock.advance(24 * 3_600_000);
    expect((await register('day', { ...first, name: newName() })).status).toBe(200);
  });

  it.each(['', ' ', 'zwölf', 'x'.repeat(256), 'a b'])(
    'must be printable and not too long: %j',
    async (key) => {
      const encoded = Buffer.from(key, 'utf8').toString('latin1');
      const refused = await register(encoded, { name: newName(), endpoint: 'http://127.0.0.1:9' });
      expect(refused.status).toBe(400);
      expect(refused.body.error.details).toEqual([
        { field: 'header.idempotency-key', reason: 'malformed' },
      ]);
    },
  );
});

describe('a POST whose first run is not over', () => {
  it('is told to wait with 409 and Retry-After, and answered once that run is done', async () => {
    const endpoint = await startEndpoint(true);
    const body = { name: newName(), endpoint: endpoint.url };
    const first = register('running', body);
    await endpoint.arrived;
    const second = await register('running', body);
    expect(second.status).toBe(409);
    expect(second.body.error.code).toBe('request_in_progress');
    expect(second.headers.get('retry-after')).toBe('60');
    expect((await register('running', { ...body, name: newName() })).status).toBe(422);

    endpoint.release();
    expect((await first).body.api_key).toBeDefined();
    expect((await register('running', body)).body.withheld).toEqual(['api_key', 'api_secret']);
    expect(endpoint.calls()).toBe(1);
  });

  it('because it crashed after its commit is answered once its lease is over, with nothing done twice', async () => {
    const endpoint = await startEndpoint();
    const body = { name: newName(), endpoint: endpoint.url };
    const dead = new Promise<void>((done) => void purvey.cloud.faults.onCrash(done));
    purvey.cloud.faults.inject({
      rpc: 'Commit',
      when: (request) => JSON.stringify(request).includes('/provider_names/'),
      action: { kind: 'crash' },
    });
    // Its answer never comes.
    register('crashed', body).catch(() => undefined);
    await dead;
    await purvey.restartFunctions();

    const early = await register('crashed', body);
    expect(early.status).toBe(409);
    expect(early.headers.get('retry-after')).toBe('60');
    await purvey.clock.advance(60_000);
    const taken = await register('crashed', body);
    expect(taken.status).toBe(200);
    expect(taken.body).toMatchObject({
      provider_id: expect.stringMatching(/^prov_/),
      withheld: ['api_key', 'api_secret'],
    });
    expect(taken.body.api_key).toBeUndefined();
    expect(await nameTaken(body.name)).toBe(1);
  });

  it('because it crashed before its commit runs once its lease is over', async () => {
    const endpoint = await startEndpoint();
    const body = { name: newName(), endpoint: endpoint.url };
    const dead = new Promise<void>((done) => void purvey.cloud.faults.onCrash(done));
    purvey.cloud.faults.inject({
      rpc: 'Commit',
      when: (request) => JSON.stringify(request).includes('/provider_names/'),
      action: { kind: 'crash-before' },
    });
    register('crashed-early', body).catch(() => undefined);
    await dead;
    await purvey.restartFunctions();
    await purvey.clock.advance(60_000);
    const taken = await register('crashed-early', body);
    expect(taken.body.api_key).toMatch(/^aex_pk_live_/);
    expect(await nameTaken(body.name)).toBe(1);
  });
});

describe('what a key costs', () => {
  it('is two writes for a new one, and a read for a repeat', async () => {
    const create = (key: string | null) =>
      purvey.call('POST', '/api/v1/orgs', {
        as: 'operator',
        body: { org_slug: `cost_${key ?? 'none'}`, name: 'Cost' },
        ...(key !== null && { headers: { 'idempotency-key': key } }),
      });
    const costOf = async (key: string | null) => {
      await purvey.settle();
      const { usage } = await purvey.cloud.meter.measure(() => create(key));
      return { reads: usage.reads, writes: usage.writes };
    };
    const plain = await costOf(null);
    const keyed = await costOf('new');
    // The command's record is read too: a retry of the whole would find it.
    expect(keyed).toEqual({ reads: plain.reads + 1, writes: plain.writes + 2 });
    expect(await costOf('new')).toEqual({ reads: 1, writes: 0 });
  });
});
