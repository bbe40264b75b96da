import { afterAll, beforeAll, describe, expect, test } from 'vitest';

import { matches } from '../../../shared/matching/schema.ts';
import { providers } from '../../../shared/providers/schema.ts';
import { ref } from '../../../shared/store/collection.ts';
import { type TestPurvey, startAgent, startTestPurvey } from '../../support/purvey.ts';
import {
  absentId,
  answeredAlike,
  changeStored,
  changesNothing,
  expectNothingLeaked,
  ok,
  refused,
  refusesBodies,
  registerProvider,
  storedText,
} from '../support.ts';

const path = '/v1/subscriptions';

let purvey: TestPurvey;
let agent: Awaited<ReturnType<typeof startAgent>>;
let provider: { id: string; key: string };
let other: { id: string; key: string };

const good = () => ({
  provider_id: provider.id,
  categories: ['travel.*'],
  delivery: { webhook_url: `${agent.url}/work` },
});
const subscribe = (patch: object = {}, headers: Record<string, string> = {}) =>
  purvey.call('POST', path, {
    as: { provider: provider.key },
    body: { ...good(), ...patch },
    headers,
  });

beforeAll(async () => {
  purvey = await startTestPurvey();
  agent = await startAgent();
  const register = (name: string) => registerProvider(purvey, { name, endpoint: agent.url });
  provider = await register('Subscriber');
  other = await register('Other');
});
afterAll(async () => {
  await purvey.close();
  await agent.close();
});

describe('subscribing', () => {
  test("answers the specification's request with its response, and keeps a given secret to itself", async () => {
    const webhook_secret = `whsec_${Buffer.alloc(24, 7).toString('base64')}`;
    const reply = await subscribe({
      categories: ['travel.*', 'hospitality.hotels', 'travel.*'],
      filters: { min_budget: 0.05, max_latency_ms: 5000, regions: ['us', 'EU'] },
      cpa_preferences: {
        only_cpa_enabled: false,
        min_bonus_opportunity: 0.02,
        max_penalty_exposure: 0.25,
        preferred_criteria: ['booking_confirmed', 'response_time_ms'],
      },
      delivery: { method: 'webhook', webhook_url: `${agent.url}/work`, webhook_secret },
    });
    expect(reply.status).toBe(200);
    expect(reply.body).toEqual({
      subscription_id: expect.stringMatching(/^sub_[0-9a-f]{16}$/),
      provider_id: provider.id,
      categories: ['travel.*', 'hospitality.hotels'],
      cpa_filter_active: true,
      status: 'ACTIVE',
      created_at: new Date(purvey.clock.nowMs()).toISOString(),
    });
    expectNothingLeaked(purvey, reply);
    expect(storedText(purvey)).not.toContain(webhook_secret);
  });

  test('generates an absent secret, shows it once and stores it sealed only', async () => {
    const created = await ok(subscribe());
    expect(created.webhook_secret).toMatch(/^whsec_[A-Za-z0-9+/]{43}=$/);
    expect(storedText(purvey)).not.toContain(created.webhook_secret.slice('whsec_'.length));
    for (const shown of [
      `${path}/${created.subscription_id}`,
      path,
      `/v1/providers/${provider.id}`,
    ])
      expectNothingLeaked(
        purvey,
        await purvey.call('GET', shown, { as: { provider: provider.key } }),
      );
  });

  test('never shows a generated secret again to a repetition with the same Idempotency-Key', async () => {
    const headers = { 'idempotency-key': 'subscribing-1' };
    const { webhook_secret, ...first } = await ok(subscribe({}, headers));
    const again = await changesNothing(purvey, () => subscribe({}, headers));
    expect(webhook_secret).toMatch(/^whsec_/);
    expect(again.body).toEqual({
      ...first,
      withheld: ['webhook_secret'],
      notice: expect.any(String),
    });
  });

  test("takes the provider's bid_webhook where no address is given", async () => {
    const hooked = await registerProvider(purvey, {
      name: 'Hooked',
      endpoint: agent.url,
      bid_webhook: `${agent.url}/bids`,
    });
    const reply = await purvey.call('POST', path, {
      as: { provider: hooked.key },
      body: { provider_id: hooked.id, categories: ['*'], delivery: { webhook_url: '' } },
    });
    expect(reply.status).toBe(200);
  });

  test('is for the operator too, on behalf of any provider', async () => {
    const reply = await purvey.call('POST', path, { as: 'operator', body: good() });
    expect(reply.body).toMatchObject({ provider_id: provider.id, status: 'ACTIVE' });
  });

  test("answers for another provider's id as for one that there is not", async () => {
    const as = { provider: provider.key };
    expect(
      await answeredAlike(
        purvey,
        ['POST', path, { as, body: { ...good(), provider_id: other.id } }],
        ['POST', path, { as, body: { ...good(), provider_id: absentId('prov') } }],
      ),
    ).toMatchObject({ code: 'not_found' });
    expect(
      await refused(purvey, [
        'POST',
        path,
        { as: 'operator', body: { ...good(), provider_id: absentId('prov') } },
      ]),
    ).toMatchObject({ code: 'not_found' });
  });

  test('is refused to an archived provider', async () => {
    const archived = await registerProvider(purvey, { name: 'Archived', endpoint: agent.url });
    await changeStored(purvey, ref(providers, archived.id), () => ({
      status: 'INACTIVE' as const,
    }));
    expect(
      await refused(purvey, [
        'POST',
        path,
        { as: { provider: archived.key }, body: { ...good(), provider_id: archived.id } },
      ]),
    ).toMatchObject({ code: 'conflict' });
  });

  test('is refused beyond 100 active subscriptions', async () => {
    const busy = await registerProvider(purvey, { name: 'Busy', endpoint: agent.url });
    const call = {
      as: { provider: busy.key },
      body: { ...good(), provider_id: busy.id },
    };
    await ok(purvey.call('POST', path, call));
    await changeStored(purvey, ref(matches, busy.id), ({ subscriptions }) => ({
      subscriptions: Array.from({ length: 100 }, () => subscriptions).flat(),
    }));
    expect(await refused(purvey, ['POST', path, call])).toMatchObject({ code: 'conflict' });
  });

  test.each([
    ['different', (nth: number, i: number) => `c${nth}.x${i}`],
    ['repeated', (_: number, i: number) => `c.x${i}`],
  ])('is refused beyond 1,000 %s categories', async (kind, name) => {
    const broad = await registerProvider(purvey, { name: `Broad ${kind}`, endpoint: agent.url });
    const call = (nth: number) => ({
      as: { provider: broad.key },
      body: {
        ...good(),
        provider_id: broad.id,
        categories: Array.from({ length: 100 }, (_, i) => name(nth, i)),
      },
    });
    for (let nth = 0; nth < 10; nth++) await ok(purvey.call('POST', path, call(nth)));
    expect(await refused(purvey, ['POST', path, call(10)])).toMatchObject({
      code: 'invalid_request',
      details: [{ field: 'body.categories', reason: expect.stringMatching(/at most 1000/) }],
    });
  });

  test('is refused beyond 64 KiB of text, and says what to do', async () => {
    const wordy = await registerProvider(purvey, { name: 'Wordy', endpoint: agent.url });
    const regions = Array.from({ length: 100 }, (_, i) => String(i).padStart(64, 'r'));
    const call = {
      as: { provider: wordy.key },
      body: { ...good(), provider_id: wordy.id, filters: { regions } },
    };
    for (let nth = 0; nth < 10; nth++) await ok(purvey.call('POST', path, call));
    const error = await refused(purvey, ['POST', path, call]);
    expect(error).toMatchObject({ code: 'conflict' });
    expect(error.message).toMatch(/at most 64 KiB/);
  });

  const filters = (given: object) => ({ filters: given });
  const cpa = (given: object) => ({ cpa_preferences: given });
  const delivery = (given: object) => ({
    delivery: { webhook_url: 'https://x.example/', ...given },
  });
  refusesBodies(
    () => purvey,
    () => ['POST', path, { as: { provider: provider.key }, body: good() }],
    [
      ['no provider_id', { provider_id: undefined }, 'provider_id', 'is required'],
      ['a malformed provider_id', { provider_id: '../x' }, 'provider_id', /must be an id/],
      ['no categories', { categories: undefined }, 'categories', 'is required'],
      ['an empty list of categories', { categories: [] }, 'categories', /least 1/],
      ['categories that are no list', { categories: 'travel.*' }, 'categories', /array/],
      ['a category that is no text', { categories: [1] }, 'categories.0', /string/],
      ['an empty category', { categories: ['ok', ''] }, 'categories.1', /empty/],
      [
        'white space in a category',
        { categories: ['travel booking'] },
        'categories.0',
        /white space/,
      ],
      ['an unclosed class', { categories: ['travel.[a-'] }, 'categories.0', /malformed pattern/],
      ['an empty class', { categories: ['travel.[]'] }, 'categories.0', /malformed pattern/],
      ['a lone backslash', { categories: ['travel.\\'] }, 'categories.0', /malformed pattern/],
      ['a leading wildcard', { categories: ['*.booking'] }, 'categories.0', /begin with a literal/],
      ['a leading ?', { categories: ['?ravel'] }, 'categories.0', /begin with a literal/],
      ['a leading class', { categories: ['[t]ravel'] }, 'categories.0', /begin with a literal/],
      [
        'a category that is too long',
        { categories: ['x'.repeat(129)] },
        'categories.0',
        /most 128/,
      ],
      [
        'more than five costly globs',
        { categories: ['a*b', 'b*c', 'c*d', 'd?e', 'e[f]g', 'f*g*'] },
        'categories',
        /at most 5 patterns/,
      ],
      [
        'more than 100 categories',
        { categories: Array.from({ length: 101 }, (_, i) => `c${i}`) },
        'categories',
        /most 100/,
      ],
      [
        'a negative budget',
        filters({ min_budget: -0.01 }),
        'filters.min_budget',
        'must not be negative',
      ],
      [
        'a budget that is no number',
        filters({ min_budget: '5 USD' }),
        'filters.min_budget',
        /decimal/,
      ],
      ['a latency of 0', filters({ max_latency_ms: 0 }), 'filters.max_latency_ms', /./],
      [
        'a latency in words',
        filters({ max_latency_ms: '5000' }),
        'filters.max_latency_ms',
        /number/,
      ],
      ['regions that are no list', filters({ regions: 'eu' }), 'filters.regions', /array/],
      ['filters that are no object', { filters: [] }, 'filters', /object/],
      [
        'a negative bonus',
        cpa({ min_bonus_opportunity: '-1' }),
        'cpa_preferences.min_bonus_opportunity',
        'must not be negative',
      ],
      [
        'a penalty above 1',
        cpa({ max_penalty_exposure: 1.01 }),
        'cpa_preferences.max_penalty_exposure',
        /most 1/,
      ],
      [
        'a preference that is no boolean',
        cpa({ only_cpa_enabled: 'no' }),
        'cpa_preferences.only_cpa_enabled',
        /boolean/,
      ],
      ['no address at all', { delivery: undefined }, 'delivery.webhook_url', /no bid_webhook/],
      [
        'an address that is no URL',
        delivery({ webhook_url: 'work' }),
        'delivery.webhook_url',
        /URL/,
      ],
      ['an unknown method', delivery({ method: 'pigeon' }), 'delivery.method', /webhook/],
      [
        'a method that is not offered',
        delivery({ method: 'polling' }),
        'delivery.method',
        /webhook/,
      ],
      [
        'a secret that is none',
        delivery({ webhook_secret: 'whsec_' }),
        'delivery.webhook_secret',
        /base64/,
      ],
      [
        'a secret that is too short',
        delivery({ webhook_secret: `whsec_${Buffer.alloc(23).toString('base64')}` }),
        'delivery.webhook_secret',
        /24 to 64 bytes/,
      ],
    ],
  );
});
