import { afterAll, beforeAll, describe, expect, test } from 'vitest';

import {
  type Credentials,
  type TestPurvey,
  startAgent,
  startTestPurvey,
} from '../../support/purvey.ts';
import { absentId, exhaust, ok, refused, registerProvider } from '../support.ts';

let purvey: TestPurvey;
let agent: Awaited<ReturnType<typeof startAgent>>;
let provider: { id: string; key: string };
let other: { id: string; key: string };
let subscriptionId: string;

const shown = (as?: Credentials) => ok(purvey.call('GET', `/v1/providers/${provider.id}`, { as }));

beforeAll(async () => {
  purvey = await startTestPurvey();
  agent = await startAgent();
  provider = await registerProvider(purvey, {
    name: 'Expedia',
    description: 'Travel',
    endpoint: agent.url,
    bid_webhook: `${agent.url}/bid-hook`,
    capabilities: ['travel.booking'],
    contact_email: 'agents@expedia.example',
    metadata: { plan: 'internal' },
    cpa_preferences: { max_penalty_accepted: 0.25, supported_metrics: ['latency_ms'] },
    pricing_tiers: [{ category: 'travel.*', base_price_range: ['0.05', 0.15] }],
  });
  other = await registerProvider(purvey, { name: 'Other', endpoint: agent.url });
  const subscription = await ok(
    purvey.call('POST', '/v1/subscriptions', {
      as: { provider: provider.key },
      body: {
        provider_id: provider.id,
        categories: ['travel.*'],
        filters: { min_budget: 0.05, regions: ['EU'] },
        delivery: { webhook_url: `${agent.url}/sub-hook` },
      },
    }),
  );
  subscriptionId = subscription.subscription_id;
});
afterAll(async () => {
  await purvey.close();
  await agent.close();
});

describe('showing a provider', () => {
  const common = () => ({
    provider_id: provider.id,
    name: 'Expedia',
    description: 'Travel',
    endpoint: agent.url,
    status: 'PENDING_VERIFICATION',
    trust_score: 0.3,
    trust_tier: 'UNVERIFIED',
    capabilities: ['travel.booking'],
    stats: { total_contracts: 0, success_rate: null, avg_response_time_ms: null },
    cpa_enabled: true,
    cpa_status: 'PENDING_CERTIFICATION',
    outcome_summary: null,
    ml_prediction: null,
    created_at: expect.any(String),
    updated_at: expect.any(String),
    verified_at: null,
  });
  const conditions = {
    filters: { min_budget: 0.05, max_latency_ms: null, regions: ['eu'] },
    cpa_preferences: {
      only_cpa_enabled: false,
      min_bonus_opportunity: null,
      max_penalty_exposure: null,
      preferred_criteria: [],
    },
  };
  const publicProfile = {
    accepts_cpa_terms: true,
    max_penalty_accepted: 0.25,
    verification_support: [],
    supported_metrics: ['latency_ms'],
    cpa_certified: false,
    certification_expires: null,
  };

  test.each([
    ['everybody', () => undefined],
    ['another provider', () => ({ provider: other.key })],
    ['a client with a placeholder key', () => ({ org: 'dev-api-key' })],
    [
      'a token, which an open endpoint does not verify',
      () => ({ service: 'services', of: 'get-provider' }),
    ],
  ])('hides e-mail, metadata, webhooks and prices from %s', async (_, as) => {
    const body = await shown(as());
    expect(body).toEqual({
      ...common(),
      cpa_profile: publicProfile,
      subscriptions: [
        {
          subscription_id: subscriptionId,
          categories: ['travel.*'],
          status: 'ACTIVE',
          ...conditions,
        },
      ],
    });
    expect(JSON.stringify(body)).not.toMatch(/hook|agents@|internal|whsec_/);
  });

  test.each([
    ['its owner', () => ({ provider: provider.key })],
    ['the operator', () => 'operator' as const],
  ])('shows all of it to %s, but for the secrets', async (_, as) => {
    const body = await shown(as());
    expect(body).toEqual({
      ...common(),
      cpa_profile: {
        ...publicProfile,
        preferred_bonus_structure: 'per_criterion',
        min_confidence_threshold: 0.7,
        penalty_buffer_percentage: 10,
        certification_date: null,
      },
      status_reason: null,
      bid_webhook: `${agent.url}/bid-hook`,
      contact_email: 'agents@expedia.example',
      metadata: { plan: 'internal' },
      verifications: { identity: null, endpoint: null, compliance: null },
      pricing_tiers: [
        {
          category: 'travel.*',
          base_price_range: [0.05, 0.15],
          accepts_cpa: true,
          min_bonus_for_cpa: 0,
          max_penalty_for_cpa: 0.5,
          priority: 0,
        },
      ],
      subscriptions: [
        {
          subscription_id: subscriptionId,
          provider_id: provider.id,
          categories: ['travel.*'],
          cpa_filter_active: false,
          status: 'ACTIVE',
          ...conditions,
          delivery: { method: 'webhook', webhook_url: `${agent.url}/sub-hook` },
          created_at: expect.any(String),
          updated_at: expect.any(String),
        },
      ],
      version: 1,
    });
    expect(JSON.stringify(body)).not.toMatch(/whsec_|aex_[ps]k_live_|hash/);
  });

  test('answers 404 for one that there is not', async () => {
    expect(await refused(purvey, ['GET', `/v1/providers/${absentId('prov')}`])).toMatchObject({
      code: 'not_found',
    });
  });

  test('shows a cancelled subscription to nobody', async () => {
    const ended = await registerProvider(purvey, { name: 'Ended', endpoint: agent.url });
    const { subscription_id } = await ok(
      purvey.call('POST', '/v1/subscriptions', {
        as: { provider: ended.key },
        body: {
          provider_id: ended.id,
          categories: ['*'],
          delivery: { webhook_url: `${agent.url}/hook` },
        },
      }),
    );
    await ok(
      purvey.call('DELETE', `/v1/subscriptions/${subscription_id}`, {
        as: { provider: ended.key },
      }),
    );
    const body = await ok(
      purvey.call('GET', `/v1/providers/${ended.id}`, { as: { provider: ended.key } }),
    );
    expect(body.subscriptions).toEqual([]);
  });

  test('too often from one address is refused, whatever key comes along but the operator’s', async () => {
    await purvey.clock.advance(60_000);
    await exhaust(purvey, 'public_read:127.0.0.1', { limit: 600, windowS: 60 });
    const reply = await refused(purvey, ['GET', `/v1/providers/${provider.id}`]);
    expect(reply).toMatchObject({ code: 'rate_limited' });
    expect(Number(reply.headers.get('retry-after'))).toBeGreaterThan(0);
    const own = { as: { provider: provider.key } };
    expect(await refused(purvey, ['GET', `/v1/providers/${provider.id}`, own])).toMatchObject({
      code: 'rate_limited',
    });
    expect(await shown('operator')).toHaveProperty('contact_email');
  });
});
