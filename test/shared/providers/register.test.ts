import { describe, expect, it } from 'vitest';

import { matches } from '../../../shared/matching/schema.ts';
import { nameId } from '../../../shared/providers/name.ts';
import {
  type RegisterCommand,
  register,
  registerRefs,
} from '../../../shared/providers/register.ts';
import { apiKeys, apiSecrets } from '../../../shared/api-keys/schema.ts';
import { RegisterProvider, providerNames, providers } from '../../../shared/providers/schema.ts';
import { ref } from '../../../shared/store/collection.ts';
import { aProvider, command, docAt, errorOf, knownMetrics, registry } from '../examples.ts';

/** The specification's example. */
const expedia = {
  name: 'Expedia Travel Agent',
  description: 'Full-service travel booking and search',
  endpoint: 'https://agent.expedia.com/a2a',
  bid_webhook: 'https://agent.expedia.com/aex/work',
  capabilities: ['travel.booking', 'travel.search', 'hospitality.hotels'],
  contact_email: 'agents@expedia.com',
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
};

const provider_id = 'prov_00000000000000aa';

const registering = (
  request: Record<string, unknown> = {},
  changes: Partial<RegisterCommand> = {},
): RegisterCommand => ({
  ...command(),
  request: RegisterProvider.parse({ ...expedia, ...request }),
  provider_id,
  key_id: 'key_00000000000000aa',
  api_key_hash: 'hash-of-the-key',
  api_secret_hash: 'hash-of-the-secret',
  caller_id: null,
  registry,
  known_metrics: knownMetrics,
  allow_insecure_endpoints: false,
  ...changes,
});

const nobody = { name: null, own: null };
const registered = (
  request: Record<string, unknown> = {},
  changes: Partial<RegisterCommand> = {},
) => register(nobody, registering(request, changes));
const providerOf = (decision: ReturnType<typeof register>) =>
  docAt(decision, ref(providers, provider_id));

describe('registering a provider', () => {
  it('answers the specification’s example as the specification does', () => {
    expect(registered().reply).toEqual({
      provider_id,
      status: 'PENDING_VERIFICATION',
      trust_tier: 'UNVERIFIED',
      cpa_enabled: true,
      cpa_status: 'PENDING_CERTIFICATION',
      created_at: '2026-03-01T12:00:00.000Z',
      warnings: [],
      keys: 'issued',
    });
  });

  it('reserves the name, stores both secrets as hashes, and makes it matchable', () => {
    const decision = registered();
    expect(docAt(decision, ref(providerNames, nameId(expedia.name)))).toMatchObject({
      provider_id,
    });
    expect(docAt(decision, ref(apiKeys, 'hash-of-the-key'))).toMatchObject({
      kind: 'provider',
      owner_id: provider_id,
      status: 'ACTIVE',
    });
    expect(docAt(decision, ref(apiSecrets, 'hash-of-the-secret'))).toMatchObject({ provider_id });
    expect(docAt(decision, ref(matches, provider_id))).toMatchObject({
      keys: [],
      score: null,
      collateral: {},
      status: 'PENDING_VERIFICATION',
    });
  });

  it('publishes provider.registered with the fields of every specification', () => {
    expect(registered().events).toMatchObject([
      {
        topic: 'aex-provider-events',
        type: 'provider.registered',
        version: 1,
        fields: {
          provider_id,
          name: 'Expedia Travel Agent',
          cpa_enabled: true,
          capabilities: ['travel.booking', 'travel.search', 'hospitality.hotels'],
          status: 'PENDING_VERIFICATION',
          registered_at: '2026-03-01T12:00:00.000Z',
        },
      },
    ]);
  });

  it('believes no trust that it declares itself', () => {
    const provider = providerOf(
      registered({ metadata: { trust_tier: 'PREFERRED', trust_score: 0.94 } }),
    );
    expect(provider).toMatchObject({ trust_tier: 'UNVERIFIED', trust_score: 0.3 });
  });

  it('fills in the specification’s defaults', () => {
    const provider = providerOf(registered({ cpa_preferences: {} }));
    expect(provider?.cpa_profile).toEqual({
      accepts_cpa_terms: true,
      max_penalty_accepted: 0.2,
      preferred_bonus_structure: 'per_criterion',
      verification_support: [],
      supported_metrics: [],
      min_confidence_threshold: 0.7,
      penalty_buffer_percentage: 10,
      cpa_certified: false,
      certification_date: null,
      certification_expires: null,
    });
  });

  it('takes the list position for a missing priority', () => {
    const tier = expedia.pricing_tiers[0];
    const provider = providerOf(
      registered({ pricing_tiers: [tier, { ...tier, category: 'travel.*' }] }),
    );
    expect(provider?.pricing_tiers.map(({ priority }) => priority)).toEqual([0, 1]);
    expect(provider?.pricing_tiers[0]?.base_price_range).toEqual(['0.05', '0.15']);
  });

  it('without CPA preferences is not CPA-enabled', () => {
    expect(registered({ cpa_preferences: undefined }).reply).toMatchObject({
      cpa_enabled: false,
      cpa_status: null,
    });
  });

  it('clamps a penalty above the cap, and says so', () => {
    const decision = registered({ cpa_preferences: { max_penalty_accepted: 0.75 } });
    expect(providerOf(decision)?.cpa_profile?.max_penalty_accepted).toBe(0.5);
    expect(decision.reply.warnings).toEqual([
      'max_penalty_accepted 0.75 is above the cap and was set to 0.5.',
    ]);
  });

  it('ignores CPA preferences where CPA is switched off, and says so', () => {
    const without = { ...registry, cpa: { ...registry.cpa, enabled: false } };
    const { reply } = registered({}, { registry: without });
    expect(reply).toMatchObject({
      cpa_enabled: false,
      warnings: [expect.stringMatching(/ignored/)],
    });
  });

  it('refuses an unknown metric and an unknown kind of verification by name', () => {
    const unknownMetric = { cpa_preferences: { supported_metrics: ['accuracy', 'charm'] } };
    expect(errorOf(() => registered(unknownMetric))).toMatchObject({
      code: 'invalid_request',
      message: expect.stringContaining('Unknown metric: charm'),
      details: [{ field: 'body.cpa_preferences.supported_metrics.1' }],
    });
    const unknownKind = { cpa_preferences: { verification_support: ['telepathy'] } };
    expect(errorOf(() => registered(unknownKind))).toMatchObject({
      code: 'invalid_request',
      message: expect.stringContaining('Invalid verification type: telepathy'),
    });
  });

  it('refuses plain http, unless the environment allows it', () => {
    const plain = { endpoint: 'http://legal-agent-a:8100' };
    expect(errorOf(() => registered(plain))).toMatchObject({
      code: 'invalid_request',
      details: [{ field: 'body.endpoint' }],
    });
    expect(registered(plain, { allow_insecure_endpoints: true }).reply.keys).toBe('issued');
  });
});

describe('a name that is taken', () => {
  const name = {
    name: expedia.name,
    provider_id: 'prov_0000000000000001',
    created_at: '2026-01-01T00:00:00.000Z',
    version: 1,
  };

  it('is refused to strangers', () => {
    expect(errorOf(() => register({ name, own: null }, registering()))).toMatchObject({
      code: 'name_taken',
    });
    const other = aProvider({ provider_id: 'prov_000000000000000b' });
    expect(errorOf(() => register({ name, own: other }, registering()))).toMatchObject({
      code: 'name_taken',
    });
  });

  it('answers its authenticated owner with the same id, keys withheld, and changes nothing', () => {
    const own = aProvider();
    const decision = register({ name, own }, registering({}, { caller_id: own.provider_id }));
    expect(decision.writes).toEqual([]);
    expect(decision.reply).toMatchObject({ provider_id: own.provider_id, keys: 'withheld' });
  });

  it('reads the caller’s own document, if there is a caller', () => {
    expect(registerRefs(registering()).own.path).toBe(`providers/${provider_id}`);
    expect(registerRefs(registering({}, { caller_id: 'prov_x' })).own.path).toBe(
      'providers/prov_x',
    );
  });

  it.each([
    ['Expedia Travel Agent', '  expedia   TRAVEL agent '],
    ['Straße', 'STRASSE'],
    ['Ｅxpedia', 'Expedia'],
    ['ﬁne', 'fine'],
    ['Café', 'Cafe\u0301'],
  ])('is taken whatever the spelling: %s = %s', (a, b) => {
    expect(nameId(a)).toBe(nameId(b));
  });

  it('is another when a reader would see another', () => {
    expect(nameId('Agent 1')).not.toBe(nameId('Agent 2'));
  });
});

describe('the request', () => {
  const refusal = (changes: Record<string, unknown>) =>
    RegisterProvider.safeParse({ ...expedia, ...changes }).error?.issues[0];

  it('may hold fields that we do not know', () => {
    expect(RegisterProvider.parse({ ...expedia, shoe_size: 43 })).not.toHaveProperty('shoe_size');
  });

  it('may be what existing agents send, on a machine that allows plain http', () => {
    const agent = {
      name: 'Budget Legal AI',
      endpoint: 'http://legal-agent-a:8100',
      bid_webhook: 'http://legal-agent-a:8100/webhook/bid',
      capabilities: ['contract_review', 'legal_research'],
      contact_email: '',
      metadata: { trust_tier: 'VERIFIED', extensions: [{ uri: 'tag:google.com,2024:ap2' }] },
    };
    const command = registering({}, { allow_insecure_endpoints: true });
    const decision = register(nobody, { ...command, request: RegisterProvider.parse(agent) });
    expect(providerOf(decision)).toMatchObject({ contact_email: null, trust_tier: 'UNVERIFIED' });
  });

  it('may leave out all but name and endpoint, or leave them empty', () => {
    const bare = { name: 'AEX Token Bank', endpoint: 'https://bank.example' };
    expect(RegisterProvider.parse({ ...bare, contact_email: '', bid_webhook: '' })).toMatchObject({
      capabilities: [],
      metadata: {},
      pricing_tiers: [],
    });
  });

  it.each([
    [{ name: ' ' }, 'name'],
    [{ endpoint: 'ftp://x' }, 'endpoint'],
    [{ endpoint: 'https://user:pw@host/' }, 'endpoint'],
    [{ endpoint: 'agent.example' }, 'endpoint'],
    [{ contact_email: 'nobody' }, 'contact_email'],
    [{ cpa_preferences: { max_penalty_accepted: -0.1 } }, 'cpa_preferences'],
    [{ cpa_preferences: { penalty_buffer_percentage: -1 } }, 'cpa_preferences'],
    [{ metadata: { nested: [[1]] } }, 'metadata'],
    [{ metadata: { __name__: 1 } }, 'metadata'],
    [{ metadata: { big: 'x'.repeat(17_000) } }, 'metadata'],
    [
      { pricing_tiers: [{ ...expedia.pricing_tiers[0], base_price_range: [2, 1] }] },
      'pricing_tiers',
    ],
    [{ pricing_tiers: [{ ...expedia.pricing_tiers[0], min_bonus_for_cpa: -1 }] }, 'pricing_tiers'],
  ])('is refused with %o', (changes, field) => {
    expect(refusal(changes)?.path[0]).toBe(field);
  });
});
