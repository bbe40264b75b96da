import { describe, expect, it } from 'vitest';

import { matches } from '../../../shared/matching/schema.ts';
import { ref } from '../../../shared/store/collection.ts';
import { createSubscription } from '../../../shared/subscriptions/create.ts';
import { endSubscription } from '../../../shared/subscriptions/end.ts';
import {
  CreateSubscription,
  type Subscription,
  subscriptions,
} from '../../../shared/subscriptions/schema.ts';
import { publicSubscriptionView, subscriptionView } from '../../../shared/subscriptions/view.ts';
import { newWebhookSecret } from '../../../shared/webhooks/secret.ts';
import { aMatch, aProvider, command, docAt, errorOf, registry } from '../examples.ts';

const provider_id = 'prov_0000000000000001';
const subscription_id = 'sub_00000000000000aa';

/** The specification's example, with a whole secret in place of its dots. */
const example = {
  provider_id,
  categories: ['travel.*', 'hospitality.hotels'],
  filters: { min_budget: 0.05, max_latency_ms: 5000, regions: ['us', 'eu'] },
  cpa_preferences: {
    only_cpa_enabled: false,
    min_bonus_opportunity: 0.02,
    max_penalty_exposure: 0.25,
    preferred_criteria: ['booking_confirmed', 'response_time_ms'],
  },
  delivery: {
    method: 'webhook',
    webhook_url: 'https://agent.expedia.com/aex/other',
    webhook_secret: newWebhookSecret(new Uint8Array(32)),
  },
};

const creating = (request: Record<string, unknown> = {}) => ({
  ...command(),
  request: CreateSubscription.parse({ ...example, ...request }),
  subscription_id,
  secret_ciphertext: 'sealed',
  registry,
  allow_insecure_endpoints: false,
});

const none = aMatch({ keys: [], subscriptions: [] });
const created = (request: Record<string, unknown> = {}, provider = aProvider()) =>
  createSubscription({ provider, match: none }, creating(request));

const stored = (decision: ReturnType<typeof createSubscription>): Subscription => {
  const doc = docAt(decision, ref(subscriptions, subscription_id));
  if (!doc) throw new Error('no subscription was written');
  return doc;
};

describe('subscribing', () => {
  it('answers the specification’s example as the specification does', () => {
    expect(created().reply).toEqual({
      subscription_id,
      provider_id,
      categories: ['travel.*', 'hospitality.hotels'],
      cpa_filter_active: true,
      status: 'ACTIVE',
      created_at: '2026-03-01T12:00:00.000Z',
    });
  });

  it('makes the provider matchable in the same commit', () => {
    expect(docAt(created(), ref(matches, provider_id))).toMatchObject({
      keys: ['hospitality.hotels', 'travel.'],
      version: 2,
      subscriptions: [
        {
          subscription_id,
          filters: { min_budget: '0.05', max_latency_ms: 5000, regions: ['us', 'eu'] },
          webhook_url: 'https://agent.expedia.com/aex/other',
        },
      ],
    });
  });

  it('publishes subscription.created', () => {
    expect(created().events).toMatchObject([
      { type: 'subscription.created', fields: { subscription_id, provider_id } },
    ]);
  });

  it('delivers to the provider’s bid_webhook unless it names another address', () => {
    const decision = created({ delivery: { method: 'webhook' } });
    expect(stored(decision).delivery.webhook_url).toBeNull();
    expect(docAt(decision, ref(matches, provider_id))?.subscriptions[0]?.webhook_url).toBe(
      'https://agent.expedia.com/aex/work',
    );
  });

  it('refuses a webhook without any address', () => {
    const silent = aProvider({ bid_webhook: null });
    const webhook = { delivery: { method: 'webhook' } };
    expect(errorOf(() => created(webhook, silent))).toMatchObject({
      code: 'invalid_request',
      details: [{ field: 'body.delivery.webhook_url' }],
    });
  });

  it('fills an absent only_cpa_enabled from the configuration', () => {
    const only = {
      ...registry,
      subscriptions: { ...registry.subscriptions, default_cpa_preference: true },
    };
    const decision = createSubscription(
      { provider: aProvider(), match: none },
      { ...creating({ cpa_preferences: undefined }), registry: only },
    );
    expect(stored(decision)).toMatchObject({
      cpa_preferences: { only_cpa_enabled: true },
      cpa_filter_active: true,
    });
    expect(stored(created({ cpa_preferences: undefined })).cpa_filter_active).toBe(false);
  });

  it('writes regions small, because nobody means another region by EU', () => {
    expect(stored(created({ filters: { regions: ['EU', 'eu '] } })).filters.regions).toEqual([
      'eu',
    ]);
  });

  it('accepts the slash categories of existing agents', () => {
    expect(created({ categories: ['legal', 'legal/*'] }).reply.categories).toHaveLength(2);
  });

  it('fails for an absent or archived provider, and for plain http', () => {
    expect(
      errorOf(() => createSubscription({ provider: null, match: null }, creating())),
    ).toMatchObject({ code: 'not_found' });
    expect(errorOf(() => created({}, aProvider({ status: 'INACTIVE' })))).toMatchObject({
      code: 'conflict',
    });
    expect(errorOf(() => created({ delivery: { webhook_url: 'http://x/' } }))).toMatchObject({
      code: 'invalid_request',
      details: [{ field: 'body.delivery.webhook_url' }],
    });
  });

  it.each([
    { categories: [] },
    { categories: ['*.booking'] },
    { categories: ['travel.['] },
    { filters: { min_budget: -1 } },
    { cpa_preferences: { max_penalty_exposure: 1.5 } },
    { delivery: { method: 'pigeon' } },
    { delivery: { webhook_secret: 'whsec_short' } },
    { delivery: { webhook_secret: 'hunter2' } },
  ])('refuses %o', (changes) => {
    expect(CreateSubscription.safeParse({ ...example, ...changes }).success).toBe(false);
  });
});

describe('ending a subscription', () => {
  const before = created();
  const match = docAt(before, ref(matches, provider_id));
  const ending = (as: 'CANCELLED' | 'DISABLED') => ({
    ...command(),
    subscription_id,
    provider_id,
    as,
  });

  it.each(['CANCELLED', 'DISABLED'] as const)('as %s takes it out of matching', (as) => {
    const decision = endSubscription({ subscription: stored(before), match }, ending(as));
    expect(decision.reply.status).toBe(as);
    expect(docAt(decision, ref(matches, provider_id))).toMatchObject({
      keys: [],
      subscriptions: [],
    });
    expect(decision.events).toMatchObject([{ type: `subscription.${as.toLowerCase()}` }]);
  });

  it('again changes nothing', () => {
    const ended = { ...stored(before), status: 'CANCELLED' as const };
    const decision = endSubscription({ subscription: ended, match }, ending('DISABLED'));
    expect(decision).toMatchObject({ writes: [], reply: { status: 'CANCELLED' } });
  });

  it('of another provider is not found', () => {
    const command = { ...ending('CANCELLED'), provider_id: 'prov_other' };
    expect(
      errorOf(() => endSubscription({ subscription: stored(before), match }, command)),
    ).toMatchObject({ code: 'not_found' });
  });
});

describe('views of a subscription', () => {
  it('never show its secret, and show its address to its owner only', () => {
    const subscription = stored(created());
    expect(JSON.stringify(subscriptionView(subscription))).not.toMatch(/sealed|secret/);
    expect(JSON.stringify(publicSubscriptionView(subscription))).not.toMatch(/sealed|https/);
    expect(subscriptionView(subscription).filters.min_budget).toBe(0.05);
  });
});
