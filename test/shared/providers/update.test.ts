import { describe, expect, it } from 'vitest';

import { matches } from '../../../shared/matching/schema.ts';
import { nameId } from '../../../shared/providers/name.ts';
import {
  type Provider,
  type ProviderName,
  UpdateProvider,
  providerNames,
  providers,
} from '../../../shared/providers/schema.ts';
import { type UpdateCommand, update } from '../../../shared/providers/update.ts';
import { ref } from '../../../shared/store/collection.ts';
import { aMatch, aProvider, aSubscription, command, docAt, errorOf } from '../examples.ts';

const before = aProvider({ status: 'ACTIVE' });
const id = before.provider_id;
const ownWebhooks = new Map<string, string | null>([[aSubscription().subscription_id, null]]);

const updated = (
  request: UpdateProvider,
  {
    provider = before,
    match = aMatch(),
    name = null,
    ...given
  }: Partial<UpdateCommand> & {
    provider?: Provider;
    match?: ReturnType<typeof aMatch>;
    name?: ProviderName | null;
  } = {},
) =>
  update(
    { provider, match, name },
    {
      ...command(),
      provider_id: id,
      request,
      own_webhooks: ownWebhooks,
      allow_insecure_endpoints: false,
      ...given,
    },
  );

const reserved = (name: string, provider_id = id): ProviderName => ({
  name,
  provider_id,
  created_at: '2026-01-01T00:00:00.000Z',
  version: 1,
});

describe('updating a provider', () => {
  const other = 'https://agent.expedia.com/v2';
  const tier = {
    category: 'travel.*',
    base_price_range: ['1', '2'] as [string, string],
    accepts_cpa: true,
    min_bonus_for_cpa: '0',
    max_penalty_for_cpa: 0.5,
  };

  it.each<[keyof Provider, UpdateProvider, unknown]>([
    ['description', { description: 'New' }, 'New'],
    ['endpoint', { endpoint: other }, other],
    ['bid_webhook', { bid_webhook: other }, other],
    ['capabilities', { capabilities: ['a.b', 'c', 'a.b'] }, ['a.b', 'c']],
    ['contact_email', { contact_email: 'new@expedia.com' }, 'new@expedia.com'],
    ['contact_email', { contact_email: null }, null],
    ['metadata', { metadata: { region: 'eu' } }, { region: 'eu' }],
    ['pricing_tiers', { pricing_tiers: [tier] }, [{ ...tier, priority: 0 }]],
  ])('changes %s and leaves the rest', (field, request, value) => {
    const decision = updated(request);
    const next = {
      ...before,
      [field]: value,
      terms: expect.any(Array),
      version: 2,
      updated_at: '2026-03-01T12:00:00.000Z',
    };
    expect(docAt(decision, ref(providers, id))).toEqual(next);
    expect(decision.reply).toEqual(next);
    expect(decision.events).toMatchObject([
      {
        type: 'provider.updated',
        subject: `providers/${id}`,
        version: 2,
        fields: { provider_id: id, changed_fields: [field] },
      },
    ]);
  });

  it('publishes nothing that only the owner may read', () => {
    const { events } = updated({
      contact_email: 'hush@expedia.com',
      metadata: { hush: true },
      bid_webhook: 'https://agent.expedia.com/hush',
    });
    expect(JSON.stringify(events)).not.toContain('hush');
  });

  it('is found by what it says from then on', () => {
    const request = { description: 'Rooms', metadata: { region: 'EU' }, capabilities: ['hotels'] };
    expect(updated(request).reply.terms).toEqual([
      'region:eu',
      'word:expedia',
      'word:travel',
      'word:agent',
      'tag:hotels',
      'word:rooms',
    ]);
  });

  it('keeps the match document current', () => {
    const request = { name: 'Expedia', endpoint: other, pricing_tiers: [tier] };
    expect(docAt(updated(request), ref(matches, id))).toMatchObject({
      name: 'Expedia',
      endpoint: other,
      pricing_tiers: [{ category: 'travel.*', priority: 0 }],
      keys: ['travel.'],
      version: 2,
    });
  });

  it('forgets a check of the endpoint when that changes, and no other check', () => {
    const check = { verified: true, notes: null, checked_at: '2026-01-05T00:00:00.000Z' };
    const verifications = { identity: check, endpoint: check, compliance: null };
    const provider = aProvider({ verifications });
    expect(updated({ endpoint: other }, { provider }).reply.verifications).toEqual({
      ...verifications,
      endpoint: null,
    });
    expect(updated({ description: 'New' }, { provider }).reply.verifications).toEqual(
      verifications,
    );
  });

  it('leaves all as it is when nothing changes, whatever version was read', () => {
    const { name, description, endpoint, bid_webhook } = before;
    const request = { name, description, endpoint, bid_webhook, version: 7 };
    expect(updated(request, { name: reserved(name) })).toEqual({ writes: [], reply: before });
  });

  it('fails for another version than the present one', () => {
    expect(errorOf(() => updated({ description: 'New', version: 2 }))).toMatchObject({
      code: 'conflict',
      message: expect.stringContaining('version 1'),
    });
    expect(updated({ description: 'New', version: 1 }).reply.version).toBe(2);
  });

  it('fails for an archived or an absent provider, and for plain http', () => {
    const archived = aProvider({ status: 'INACTIVE' });
    expect(errorOf(() => updated({ description: 'New' }, { provider: archived }))).toMatchObject({
      code: 'conflict',
    });
    const absent = () =>
      update(
        { provider: null, match: null, name: null },
        {
          ...command(),
          provider_id: id,
          request: { description: 'New' },
          own_webhooks: ownWebhooks,
          allow_insecure_endpoints: false,
        },
      );
    expect(errorOf(absent)).toMatchObject({ code: 'not_found' });
    for (const field of ['endpoint', 'bid_webhook'])
      expect(errorOf(() => updated({ [field]: 'http://agent.expedia.com' }))).toMatchObject({
        code: 'invalid_request',
        details: [{ field: `body.${field}` }],
      });
  });
});

describe('a new name', () => {
  it('is reserved, and the former one becomes free', () => {
    const decision = updated({ name: 'Expedia' });
    expect(docAt(decision, ref(providerNames, nameId('expedia')))).toMatchObject({
      name: 'Expedia',
      provider_id: id,
    });
    expect(decision.writes).toContainEqual({
      kind: 'remove',
      ref: ref(providerNames, nameId(before.name)),
    });
  });

  it('that reads like the former one stays reserved', () => {
    const spelled = before.name.toUpperCase();
    const decision = updated({ name: spelled }, { name: reserved(before.name) });
    expect(docAt(decision, ref(providerNames, nameId(before.name)))).toMatchObject({
      name: spelled,
      version: 2,
    });
    expect(decision.writes.filter(({ kind }) => kind === 'remove')).toEqual([]);
  });

  it("that is another's is refused", () => {
    const name = reserved('Kayak', 'prov_0000000000000002');
    expect(errorOf(() => updated({ name: 'Kayak' }, { name }))).toMatchObject({
      code: 'name_taken',
    });
  });
});

describe('a new bid_webhook', () => {
  const webhook = 'https://agent.expedia.com/new';
  const named = aSubscription({ subscription_id: 'sub_2', webhook_url: 'https://own.example/w' });
  const polling = aSubscription({
    subscription_id: 'sub_3',
    delivery_method: 'polling',
    webhook_url: null,
  });

  it('is where subscriptions without one of their own deliver to, and only those', () => {
    const match = aMatch({ subscriptions: [aSubscription(), named, polling] });
    const own_webhooks = new Map([...ownWebhooks, ['sub_2', 'https://own.example/w'] as const]);
    const decision = updated({ bid_webhook: webhook }, { match, own_webhooks });
    const stored = docAt(decision, ref(matches, id));
    expect(stored?.subscriptions.map(({ webhook_url }) => webhook_url)).toEqual([
      webhook,
      'https://own.example/w',
      null,
    ]);
    expect(stored?.version).toBe(match.version + 1);
  });

  it('cannot be taken away while a subscription needs it', () => {
    expect(errorOf(() => updated({ bid_webhook: null }))).toMatchObject({
      code: 'conflict',
      message: expect.stringContaining(aSubscription().subscription_id),
    });
    const match = aMatch({ subscriptions: [polling] });
    expect(updated({ bid_webhook: null }, { match }).reply.bid_webhook).toBeNull();
  });

  it('waits for a subscription that was added while it was asked for', () => {
    const act = () => updated({ bid_webhook: webhook }, { own_webhooks: new Map() });
    expect(errorOf(act)).toMatchObject({ code: 'conflict' });
  });

  it('is refused when all the addresses together are too long', () => {
    const ids = Array.from({ length: 40 }, (_, i) => `sub_${i}`);
    const match = aMatch({
      subscriptions: ids.map((subscription_id) => aSubscription({ subscription_id })),
    });
    const own_webhooks = new Map(ids.map((subscriptionId) => [subscriptionId, null] as const));
    const bid_webhook = `https://agent.expedia.com/${'x'.repeat(2_000)}`;
    expect(errorOf(() => updated({ bid_webhook }, { match, own_webhooks }))).toMatchObject({
      code: 'conflict',
    });
  });
});

describe('the request', () => {
  it("reads null and '' as nothing, and what is absent as no change", () => {
    expect(UpdateProvider.parse({ bid_webhook: '', contact_email: null })).toEqual({
      bid_webhook: null,
      contact_email: null,
    });
    expect(UpdateProvider.parse({ description: '' })).toEqual({ description: '' });
  });

  it.each([{}, { version: 1 }, { status: 'ACTIVE' }])('needs a change: %o', (request) => {
    expect(UpdateProvider.safeParse(request).error?.issues[0]?.message).toMatch(/is required$/);
  });
});
