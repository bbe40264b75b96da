import { afterAll, beforeAll, describe, expect, test } from 'vitest';

import { matches } from '../../../shared/matching/schema.ts';
import { ref } from '../../../shared/store/collection.ts';
import {
  type ReadyProvider,
  type TestPurvey,
  readyProvider,
  startAgent,
  startTestPurvey,
} from '../../support/purvey.ts';
import { changeStored, ok, refused, refusesQueries, registerProvider } from '../support.ts';

const path = '/internal/v1/providers/subscribed';

let purvey: TestPurvey;
let agent: Awaited<ReturnType<typeof startAgent>>;
/** By name; every one but `lawyer` is a candidate for travel.booking. */
const made: Record<string, ReadyProvider> = {};
const HOSTILE = [
  'travel.b*k[!-~]ng*x',
  'travel.*a*a*a*a*a*a*a*b',
  'travel.?*?*?*?*',
  'travel.[^b]*',
];

async function subscribe(
  { id, key }: { id: string; key: string },
  body: Record<string, unknown>,
): Promise<string> {
  const { subscription_id } = await ok(
    purvey.call('POST', '/v1/subscriptions', {
      as: { provider: key },
      body: { provider_id: id, delivery: { webhook_url: `${agent.url}/more` }, ...body },
    }),
  );
  return subscription_id;
}

async function find(query: string) {
  const { result, usage } = await purvey.cloud.meter.measure(() =>
    ok(purvey.call('GET', `${path}?${query}`, { as: 'operator' })),
  );
  return { ...result, reads: usage.reads, writes: usage.writes };
}

async function namesFound(query: string): Promise<string[]> {
  const { providers, count } = await find(query);
  const idOf = new Map(Object.entries(made).map(([name, { id }]) => [id, name]));
  expect(providers).toHaveLength(count);
  return providers
    .map(({ provider_id }: { provider_id: string }) => idOf.get(provider_id))
    .toSorted();
}

beforeAll(async () => {
  purvey = await startTestPurvey();
  agent = await startAgent();
  const make = async (name: string, given: Parameters<typeof readyProvider>[2] = {}) =>
    (made[name] = await readyProvider(purvey, agent.url, { name, ...given }));
  const twice = await make('twice');
  await subscribe(twice, { categories: ['travel.booking', 'travel.book*'] });
  await make('poor', { collateral: '199999999.999999999' });
  await make('weak', { score: 69.9 });
  await make('pending', { verified: false });
  await make('lawyer', { categories: ['legal/*'] });

  const choosy = await registerProvider(purvey, { name: 'choosy', endpoint: agent.url });
  made['choosy'] = {
    ...choosy,
    webhookSecret: '',
    subscriptionId: await subscribe(choosy, {
      categories: ['travel.*'],
      filters: { min_budget: '100.5', max_latency_ms: 5000, regions: ['EU', 'us'] },
    }),
  };
  const certified = await registerProvider(purvey, {
    name: 'certified',
    endpoint: agent.url,
    bid_webhook: `${agent.url}/bids`,
    cpa_preferences: { max_penalty_accepted: 0.25, supported_metrics: ['latency_ms'] },
  });
  made['certified'] = {
    ...certified,
    webhookSecret: '',
    subscriptionId: await subscribe(certified, { categories: ['travel.booking'], delivery: {} }),
  };
  for (const { id } of [choosy, certified])
    await ok(
      purvey.call('POST', `/internal/v1/providers/${id}/verify`, {
        as: 'operator',
        body: { verification_type: 'endpoint', verified: true },
      }),
    );
  await changeStored(purvey, ref(matches, certified.id), ({ cpa }) => ({
    trust_tier: 'TRUSTED' as const,
    cpa: cpa && { ...cpa, certified: true, expires_at: '2027-01-01T00:00:00.000Z' },
  }));
});
afterAll(async () => {
  await purvey.close();
  await agent.close();
});

describe('finding subscribed providers', () => {
  test('shows the ACTIVE ones that match, with all that a caller decides on', async () => {
    const { providers, reads: _, writes, ...rest } = await find('category=travel.booking');
    expect(rest).toEqual({
      category: 'travel.booking',
      cpa_required: false,
      count: 5,
      next_cursor: null,
    });
    expect(writes).toBe(0);
    expect(providers).toContainEqual({
      provider_id: made['certified']?.id,
      subscription_id: made['certified']?.subscriptionId,
      webhook_url: `${agent.url}/bids`,
      trust_score: 0.3,
      trust_tier: 'TRUSTED',
      eligible: false,
      reasons: ['score_missing', 'insufficient_collateral'],
      cpa_profile: {
        cpa_certified: true,
        max_penalty_accepted: 0.25,
        supported_metrics: ['latency_ms'],
      },
      outcome_summary: null,
      ml_prediction: null,
    });
    expect(JSON.stringify(providers)).not.toMatch(/whsec_|secret|email/);
  });

  test('takes a service for what it is, but nobody from outside', async () => {
    const as = { service: 'services', of: 'find-subscribed-providers' };
    const reply = await purvey.call('GET', `${path}?category=travel.booking`, { as });
    expect(reply.body.count).toBe(5);
    for (const outsider of [undefined, { provider: made['twice']?.key ?? '' }])
      expect(
        await refused(purvey, ['GET', `${path}?category=travel.booking`, { as: outsider }]),
      ).toMatchObject({ code: outsider ? 'forbidden' : 'unauthenticated' });
  });

  test('names a provider once although several of its subscriptions match, by the most specific', async () => {
    const { providers } = await find('category=travel.booking');
    const found = providers.filter(
      ({ provider_id }: { provider_id: string }) => provider_id === made['twice']?.id,
    );
    expect(found).toHaveLength(1);
    expect(found[0].webhook_url).toBe(`${agent.url}/more`);
    expect(found[0].subscription_id).not.toBe(made['twice']?.subscriptionId);
  });

  test('matches categories as globs, case and depth included', async () => {
    expect(await namesFound('category=legal/contracts')).toEqual(['lawyer']);
    expect(await namesFound('category=travel.booking.flights')).toEqual([
      'choosy',
      'poor',
      'twice',
      'weak',
    ]);
    for (const category of ['travel', 'Travel.booking', 'legal', 'legal/a/b', 'travelling.x'])
      expect(await namesFound(`category=${category}`)).toEqual([]);
  });

  test.each([
    ['eligible=true', ['twice']],
    ['eligible=false', ['certified', 'choosy', 'poor', 'weak']],
    ['region=eu', ['certified', 'choosy', 'poor', 'twice', 'weak']],
    ['region=%20US', ['certified', 'choosy', 'poor', 'twice', 'weak']],
    ['region=asia', ['certified', 'poor', 'twice', 'weak']],
    ['budget=100.5', ['certified', 'choosy', 'poor', 'twice', 'weak']],
    ['budget=100.499999999', ['certified', 'poor', 'twice', 'weak']],
    ['max_latency_ms=5000', ['certified', 'choosy', 'poor', 'twice', 'weak']],
    ['max_latency_ms=4999', ['certified', 'poor', 'twice', 'weak']],
    ['min_trust_tier=UNVERIFIED', ['certified', 'choosy', 'poor', 'twice', 'weak']],
    ['min_trust_tier=TRUSTED', ['certified']],
    ['min_trust_tier=PREFERRED', []],
    ['cpa_required=true', ['certified']],
    ['cpa_required=true&eligible=true', []],
    ['region=asia&budget=1&max_latency_ms=1&eligible=true', ['twice']],
  ])('filters by %s', async (filter, names) => {
    expect(await namesFound(`category=travel.booking&${filter}`)).toEqual(names);
  });

  test.each([
    ['is not certified', { certified: false, expires_at: null }],
    ['was certified until now', { certified: true, expires_at: '2026-01-01T00:00:00.000Z' }],
  ])('leaves out who %s where work with CPA terms is asked for', async (_, certification) => {
    const before = made['certified']?.id ?? '';
    const certify = (as: object) =>
      changeStored(purvey, ref(matches, before), ({ cpa }) => ({ cpa: cpa && { ...cpa, ...as } }));
    await certify(certification);
    expect(await namesFound('category=travel.booking&cpa_required=true')).toEqual([]);
    await certify({ certified: true, expires_at: '2027-01-01T00:00:00.000Z' });
  });

  test('leaves out who takes no CPA terms in the category, as planning does', async () => {
    const place = ref(matches, made['certified']?.id ?? '');
    const tier = {
      category: 'travel.*',
      base_price_range: ['1', '2'] as [string, string],
      accepts_cpa: false,
      min_bonus_for_cpa: '0',
      max_penalty_for_cpa: 0.5,
      priority: 0,
    };
    await changeStored(purvey, place, () => ({ pricing_tiers: [tier] }));
    expect(await namesFound('category=travel.booking&cpa_required=true')).toEqual([]);
    expect(await namesFound('category=travel.booking')).toContain('certified');
    await changeStored(purvey, place, () => ({ pricing_tiers: [] }));
  });

  test('reads exactly its candidates, whatever it filters, and one for none', async () => {
    for (const filter of ['', '&eligible=true', '&region=asia', '&min_trust_tier=PREFERRED'])
      expect((await find(`category=travel.booking${filter}`)).reads).toBe(6);
    // Found by travel.booking itself: certified and twice are not even looked at here.
    expect((await find('category=travel.cars')).reads).toBe(5);
    expect((await find('category=legal/contracts')).reads).toBe(1);
    expect((await find('category=nothing.here')).reads).toBe(1);
  });

  test('neither reads more nor takes long for the globs of a hostile provider', async () => {
    const hostile = await registerProvider(purvey, { name: 'hostile', endpoint: agent.url });
    await subscribe(hostile, { categories: HOSTILE });
    const category = `travel.${'a'.repeat(190)}`;
    const startedMs = performance.now();
    const { reads, count } = await find(`category=${category}`);
    expect(performance.now() - startedMs).toBeLessThan(1_000);
    expect(reads).toBe(6);
    expect(count).toBe(4);
    await ok(
      purvey.call('POST', `/internal/v1/providers/${hostile.id}/verify`, {
        as: 'operator',
        body: { verification_type: 'endpoint', verified: true },
      }),
    );
    expect((await find(`category=${category}`)).count).toBe(5);
    expect((await find('category=legal/contracts')).reads).toBe(1);
  });

  test('no longer finds a cancelled subscription', async () => {
    const leaving = await readyProvider(purvey, agent.url, { categories: ['farewell.*'] });
    expect((await find('category=farewell.party')).count).toBe(1);
    await ok(
      purvey.call('DELETE', `/v1/subscriptions/${leaving.subscriptionId}`, {
        as: { provider: leaving.key },
      }),
    );
    expect(await find('category=farewell.party')).toMatchObject({ count: 0, reads: 1 });
  });

  refusesQueries(
    () => purvey,
    () => ['GET', path, { as: 'operator' }],
    [
      ['', 'category', 'is required'],
      ['category=', 'category', /empty/],
      ['category=travel.*', 'category', /must not hold white space or any of/],
      ['category=travel%20booking', 'category', /must not hold white space or any of/],
      ['category=a%00b', 'category', /must not hold white space or any of/],
      [`category=${'x'.repeat(201)}`, 'category', /most 200/],
      [`category=${Array(29).fill('x').join('.')}`, 'category', /at most 28 segments/],
      ['category=a&category=b', 'category', /string/],
      ['category=a&budget=-1', 'budget', 'must not be negative'],
      ['category=a&budget=cheap', 'budget', /decimal/],
      ['category=a&budget=1e3', 'budget', /decimal/],
      ['category=a&max_latency_ms=0', 'max_latency_ms', /./],
      ['category=a&max_latency_ms=soon', 'max_latency_ms', /number/],
      ['category=a&min_trust_tier=KING', 'min_trust_tier', /UNVERIFIED/],
      ['category=a&cpa_required=yes', 'cpa_required', /true or false/],
      ['category=a&eligible=1', 'eligible', /true or false/],
      [`category=a&region=${'x'.repeat(65)}`, 'region', /most 64/],
      ['category=a&cursor=!', 'cursor', /is not a cursor/],
      ['category=a&cursor=WzFd', 'cursor', /is not a cursor/],
    ],
  );
});
