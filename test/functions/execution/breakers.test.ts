import { afterAll, beforeAll, describe, expect, test } from 'vitest';

import { providerErrorOf } from '../../../shared/execution/errors.ts';
import type { Execution } from '../../../shared/execution/execution.ts';
import { type ExecutionKey, keyId } from '../../../shared/execution/key.ts';
import { ProviderBase } from '../../../shared/execution/provider-base.ts';
import { matches } from '../../../shared/matching/schema.ts';
import { executionSettings } from '../../../shared/runtime/settings.ts';
import { ref } from '../../../shared/store/collection.ts';
import {
  type Reply,
  type TestPurvey,
  readyBuyer,
  readyProvider,
  startAgent,
  startTestPurvey,
} from '../../support/purvey.ts';
import {
  absentId,
  badPages,
  changesNothing,
  expectNothingLeaked,
  isoAfter,
  ok,
  openRfq,
  pagedThrough,
  refused,
  refusesBodies,
  refusesQueries,
} from '../support.ts';

const path = '/internal/v1/breakers';
const capability = 'usage_extract';
/** Longer than any instance goes by what it knows of a breaker. */
const STALE_MS = 181_000;

let purvey: TestPurvey;

beforeAll(async () => {
  purvey = await startTestPurvey({
    // One attempt for each call: no waits in between.
    executionSettings: () => {
      const settings = executionSettings();
      const retry = { ...settings.defaults.retry, max_attempts: 1 };
      return { ...settings, defaults: { ...settings.defaults, retry } };
    },
  });
});
afterAll(() => purvey.close());

class Scripted extends ProviderBase<null, string> {
  readonly providerName: string;
  readonly capability = capability;
  answers = true;
  calls = 0;

  constructor(execution: Execution, providerName: string) {
    super(execution);
    this.providerName = providerName;
  }

  protected override async executeImpl(): Promise<string> {
    this.calls++;
    if (!this.answers) throw providerErrorOf('dependency_unavailable', 'it is down');
    return 'ok';
  }
}

/** What a call of the provider comes to, once every instance has heard of all changes. */
async function called(provider: Scripted, tenantId = 'acme'): Promise<string> {
  await purvey.clock.advance(STALE_MS);
  return callNow(provider, tenantId);
}

async function callNow(provider: Scripted, tenantId = 'acme'): Promise<string> {
  const request = { tenantId, campaignId: null, operation: 'test', payload: null };
  const result = await provider.execute(request);
  return result.status === 'succeeded' ? result.value : `${result.failure.reasonCode}`;
}

const names = ({ tenantId, providerName, capability: of }: ExecutionKey) => ({
  tenant_id: tenantId,
  provider_name: providerName,
  capability: of,
});
const keyOf = (providerName: string, tenantId = 'acme'): ExecutionKey => ({
  tenantId,
  providerName,
  capability,
});

const as = (of: string) => ({ service: 'services', of });

const forceOpen = (key: ExecutionKey, given: Record<string, unknown> = {}): Promise<Reply> =>
  purvey.call('POST', `${path}/${keyId(key)}/force-open`, {
    as: as('force-open-breaker'),
    body: { reason: 'they asked us to stop', ...given },
  });

const release = (key: ExecutionKey): Promise<Reply> =>
  purvey.call('POST', `${path}/${keyId(key)}/release`, { as: as('release-breaker') });

const listed = async (query: string): Promise<Reply['body'][]> =>
  (await ok(purvey.call('GET', `${path}?limit=100&${query}`, { as: as('list-breakers') })))
    .breakers;

const keysIn = async (query: string): Promise<string[]> =>
  (await listed(query)).map(({ key }) => key);

let providers = 0;
const newProvider = () => new Scripted(purvey.services.execution, `provider-${++providers}`);

/** Five failures open a breaker. */
async function opened(tenantId = 'acme'): Promise<{ provider: Scripted; key: ExecutionKey }> {
  const provider = newProvider();
  provider.answers = false;
  for (let i = 0; i < 5; i++) await callNow(provider, tenantId);
  expect(await callNow(provider, tenantId)).toBe('circuit_open');
  provider.answers = true;
  return { provider, key: keyOf(provider.providerName, tenantId) };
}

describe('a breaker that is forced open', () => {
  test('survives success, the end of every cooldown and a restart; a release returns it to closed', async () => {
    const provider = newProvider();
    const key = keyOf(provider.providerName);
    expect(await called(provider)).toBe('ok');
    const first = await forceOpen(key, names(key));
    expect(first).toMatchObject({
      status: 200,
      body: {
        ...names(key),
        key: keyId(key),
        breaker_state: 'open',
        open_until: null,
        forced: { reason: 'they asked us to stop', at: isoAfter(purvey, 0) },
      },
    });
    expect(first.body.forced.by).toMatch(/^services@/);
    expectNothingLeaked(purvey, first);

    // Long enough for a breaker that has opened by itself to let a probe through.
    for (let i = 0; i < 10; i++) expect(await called(provider)).toBe('circuit_open');
    await purvey.settle();
    await purvey.restartFunctions();
    const restarted = new Scripted(purvey.services.execution, provider.providerName);
    expect(await called(restarted)).toBe('circuit_open');
    expect([provider.calls, restarted.calls]).toEqual([1, 0]);

    expect(await release(key)).toMatchObject({
      status: 200,
      body: { key: keyId(key), breaker_state: 'closed', forced: null, consecutive_failures: 0 },
    });
    expect(await called(restarted)).toBe('ok');
    expect(await callNow(restarted)).toBe('ok');
  });

  test('while calls are on their way: what they come to changes nothing', async () => {
    const provider = newProvider();
    const key = keyOf(provider.providerName);
    await called(provider);
    await forceOpen(key, names(key));
    // This instance has not heard of it yet, and its failures come late.
    provider.answers = false;
    await callNow(provider);
    await purvey.services.execution.flush();
    expect(await listed(new URLSearchParams(names(key)).toString())).toMatchObject([
      { breaker_state: 'open', forced: { reason: 'they asked us to stop' } },
    ]);
    expect(await called(provider)).toBe('circuit_open');
  });

  test('for every tenant stops the calls of each; for one, only its own', async () => {
    const provider = newProvider();
    const own = keyOf(provider.providerName);
    await forceOpen(own, names(own));
    expect(await called(provider)).toBe('circuit_open');
    expect(await callNow(provider, 'globex')).toBe('ok');
    await release(own);
    const all = keyOf(provider.providerName, '*');
    await forceOpen(all, names(all));
    expect(await called(provider)).toBe('circuit_open');
    expect(await callNow(provider, 'globex')).toBe('circuit_open');
    await release(all);
    expect(await called(provider)).toBe('ok');
  });

  test('again answers the same, with the first reason and time, and changes nothing', async () => {
    const key = keyOf('twice');
    const first = await forceOpen(key, names(key));
    await purvey.clock.advance(60_000);
    const again = await changesNothing(purvey, () => forceOpen(key, { reason: 'another' }));
    expect(again).toMatchObject({ status: 200, body: first.body });
    const asOperator = await purvey.call('POST', `${path}/${keyId(key)}/force-open`, {
      as: 'operator',
      body: { reason: 'the operator' },
    });
    expect(asOperator.body).toEqual(first.body);
  });

  test('names the operator where the operator does it', async () => {
    const key = keyOf('by-operator');
    const { body } = await purvey.call('POST', `${path}/${keyId(key)}/force-open`, {
      as: 'operator',
      body: { reason: 'a test', ...names(key) },
    });
    expect(body.forced.by).toBe('operator');
  });

  test('of a key that nobody has called is found by its three names alone, and only if they fit', async () => {
    const key = keyOf('unheard-of');
    const place = `${path}/${keyId(key)}/force-open`;
    const call = (body: object) => ['POST', place, { as: 'operator', body }] as const;
    for (const given of [{}, names(keyOf('another'))])
      expect(await refused(purvey, call({ reason: 'x', ...given }))).toMatchObject({
        code: 'not_found',
      });
    const { result, usage } = await purvey.cloud.meter.measure(() => forceOpen(key, names(key)));
    expect(result.status).toBe(200);
    expect(usage).toMatchObject({ reads: 1, writes: 2, deletes: 0 });
  });

  test.each([
    ['a capability without breakers', 'endpoint_probe', /no breaker/],
    ['one tenant, where one breaker stands for all', 'webhook_delivery', /all tenants/],
  ])('is refused for %s', async (_, of, why) => {
    const key = { tenantId: 'acme', providerName: 'prov_1', capability: of };
    expect(
      await refused(purvey, [
        'POST',
        `${path}/${keyId(key)}/force-open`,
        { as: 'operator', body: { reason: 'x', ...names(key) } },
      ]),
    ).toMatchObject({ code: 'conflict', message: expect.stringMatching(why) });
  });

  refusesBodies(
    () => purvey,
    () => [
      'POST',
      `${path}/${absentId('exk')}/force-open`,
      { as: 'operator', body: { reason: 'x', ...names(keyOf('p')) } },
    ],
    [
      ['no reason', { reason: undefined }, 'reason', 'is required'],
      ['a blank reason', { reason: '  ' }, 'reason', /empty/],
      ['a long reason', { reason: 'x'.repeat(501) }, 'reason', /500/],
      ['an unknown field', { forever: true }, 'forever', 'is not a known field'],
    ],
  );

  test('is refused with some of the names but not all', async () => {
    const { capability: _, ...some } = names(keyOf('p'));
    expect(
      await refused(purvey, [
        'POST',
        `${path}/${absentId('exk')}/force-open`,
        { as: 'operator', body: { reason: 'x', ...some } },
      ]),
    ).toMatchObject({
      code: 'invalid_request',
      details: [{ field: 'body', reason: expect.stringMatching(/together/) }],
    });
  });
});

describe("a provider's webhooks", () => {
  test('are held back while their breaker is forced open, and delivered once it is released', async () => {
    const agent = await startAgent();
    const buyer = await readyBuyer(purvey);
    const { id } = await readyProvider(purvey, agent.url);
    const key = { tenantId: '*', providerName: id, capability: 'webhook_delivery' };
    expect(await forceOpen(key, names(key))).toMatchObject({
      status: 200,
      body: { tenant_id: '*', breaker_state: 'open' },
    });
    const rfqId = await openRfq(purvey, buyer);
    const counts = async () =>
      (await ok(purvey.call('GET', `/v1/rfqs/${rfqId}`, { as: 'operator' }))).counts;
    for (let minute = 0; minute < 5; minute++) {
      await purvey.clock.advance(60_000);
      await purvey.settle();
    }
    expect(agent.received).toEqual([]);
    expect(await counts()).toMatchObject({ delivered: 0, failed: 0, pending: 1 });

    const { store } = purvey.services;
    const held = await store.get(ref(matches, id));
    expect(held?.breaker?.breaker.forced).toMatchObject({ reason: 'they asked us to stop' });
    expect(await release(key)).toMatchObject({ status: 200, body: { breaker_state: 'closed' } });
    const free = await store.get(ref(matches, id));
    expect(free?.breaker).toMatchObject({ breaker_state: 'closed', breaker: { forced: null } });
    await purvey.clock.advance(60_000);
    await purvey.settle();
    expect(agent.received).toHaveLength(1);
    expect(await counts()).toMatchObject({ delivered: 1, pending: 0 });
    await agent.close();
  });
});

describe('releasing a breaker', () => {
  test('that has opened by itself closes it, too, and calls go through at once', async () => {
    const { provider, key } = await opened();
    expect(await release(key)).toMatchObject({ status: 200, body: { breaker_state: 'closed' } });
    await purvey.settle();
    await purvey.restartFunctions();
    const restarted = new Scripted(purvey.services.execution, provider.providerName);
    expect(await callNow(restarted)).toBe('ok');
  });

  test('that is closed does nothing', async () => {
    const provider = newProvider();
    await callNow(provider);
    await purvey.services.execution.flush();
    const key = keyOf(provider.providerName);
    expect(await changesNothing(purvey, () => release(key))).toMatchObject({
      status: 200,
      body: { breaker_state: 'closed' },
    });
  });

  test('that nobody knows is refused', async () => {
    expect(
      await refused(purvey, ['POST', `${path}/${absentId('exk')}/release`, { as: 'operator' }]),
    ).toMatchObject({ code: 'not_found' });
  });
});

describe('listing breakers', () => {
  let open: ExecutionKey;
  let forced: ExecutionKey;
  let closed: ExecutionKey;

  beforeAll(async () => {
    await purvey.settle();
    await purvey.restartFunctions();
    open = (await opened('initech')).key;
    forced = keyOf('listed', 'initech');
    await forceOpen(forced, names(forced));
    const provider = newProvider();
    closed = keyOf(provider.providerName, 'initech');
    await callNow(provider, 'initech');
    await purvey.services.execution.flush();
  });

  const sorted = (...keys: ExecutionKey[]) => keys.map(keyId).toSorted();

  test('shows those that are not closed, and why', async () => {
    expect(await keysIn('tenant_id=initech')).toEqual(sorted(open, forced));
    const all = await listed('');
    expect(all.map(({ key }) => key)).toEqual(expect.arrayContaining(sorted(open, forced)));
    expect(all.filter(({ breaker_state }) => breaker_state === 'closed')).toEqual([]);
    expect(all.find(({ key }) => key === keyId(open))).toEqual({
      key: keyId(open),
      ...names(open),
      breaker_state: 'open',
      consecutive_failures: 5,
      open_until: isoAfter(purvey, 60_000),
      forced: null,
      not_before: null,
      last_error_code: 'dependency_unavailable',
      last_error_at: isoAfter(purvey, 0),
      updated_at: isoAfter(purvey, 0),
    });
  });

  test('keeps to a state and to names', async () => {
    expect(await keysIn('tenant_id=initech&breaker_state=open')).toEqual(sorted(open, forced));
    expect(await keysIn('tenant_id=initech&breaker_state=half_open')).toEqual([]);
    expect(await keysIn('tenant_id=initech&breaker_state=closed')).toEqual(sorted(closed));
    expect(await keysIn('provider_name=listed')).toEqual(sorted(forced));
    expect(await keysIn('tenant_id=nobody')).toEqual([]);
    expect(await keysIn(`tenant_id=initech&capability=${capability}`)).toEqual(
      sorted(open, forced),
    );
  });

  test('finds the one that three names tell, whatever its state, also before its first call', async () => {
    const query = (key: ExecutionKey) => new URLSearchParams(names(key)).toString();
    expect(await listed(query(closed))).toMatchObject([
      { key: keyId(closed), breaker_state: 'closed' },
    ]);
    const unknown = keyOf('never-called', 'initech');
    expect(await changesNothing(purvey, () => listed(query(unknown)))).toMatchObject([
      { key: keyId(unknown), ...names(unknown), breaker_state: 'closed', forced: null },
    ]);
    expect(await listed(`${query(forced)}&breaker_state=closed`)).toEqual([]);
  });

  test('pages through them, each once', async () => {
    const call = ['GET', `${path}?tenant_id=initech`, { as: 'operator' }] as const;
    const whole = await ok(purvey.call(...call));
    expect(await pagedThrough(purvey, call, 'breakers')).toEqual(whole.breakers);
  });

  refusesQueries(
    () => purvey,
    () => ['GET', path, { as: 'operator' }],
    [...badPages, ['breaker_state=ajar', 'breaker_state', /closed, open or half_open/]],
  );
});
