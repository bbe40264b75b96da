import { readFileSync } from 'node:fs';

import { parse } from 'yaml';

import { parseEligibilityPolicy, policyVersion } from '../../shared/eligibility/policy.ts';
import { newMatch } from '../../shared/matching/compose.ts';
import type { CompactSubscription, Match } from '../../shared/matching/schema.ts';
import { KnownMetrics, parseProviderRegistry } from '../../shared/providers/config.ts';
import type { Provider } from '../../shared/providers/schema.ts';
import type { Quote } from '../../shared/rfqs/quote.ts';
import { quoteId } from '../../shared/rfqs/quote.ts';
import type { Rfq } from '../../shared/rfqs/schema.ts';
import type { Ref } from '../../shared/store/collection.ts';
import type { Command, Decision } from '../../shared/store/decision.ts';

const configFile = (name: string): unknown =>
  parse(readFileSync(new URL(`../../configs/${name}.yaml`, import.meta.url), 'utf8'));

export const registry = parseProviderRegistry(configFile('provider-registry'), {});
export const knownMetrics = KnownMetrics.parse(configFile('known-metrics'));
export const policy = parseEligibilityPolicy(configFile('eligibility-policy'));
export const grounds = { policy, policy_version: policyVersion(policy), registry };

export const at = new Date('2026-03-01T12:00:00.000Z');
export const later = (seconds: number): Date => new Date(at.getTime() + seconds * 1_000);

let commands = 0;
export const command = (): Command => ({ id: `cmd_${++commands}`, at });

export const aProvider = (changes: Partial<Provider> = {}): Provider => ({
  provider_id: 'prov_0000000000000001',
  name: 'Expedia Travel Agent',
  description: 'Full-service travel booking and search',
  endpoint: 'https://agent.expedia.com/a2a',
  bid_webhook: 'https://agent.expedia.com/aex/work',
  capabilities: ['travel.booking'],
  terms: [],
  contact_email: 'agents@expedia.com',
  metadata: { company: 'Expedia Group' },
  status: 'ACTIVE',
  trust_score: 0.3,
  trust_tier: 'UNVERIFIED',
  verifications: { identity: null, endpoint: null, compliance: null },
  cpa_enabled: false,
  cpa_status: null,
  cpa_profile: null,
  pricing_tiers: [],
  created_at: '2026-01-01T00:00:00.000Z',
  updated_at: '2026-01-01T00:00:00.000Z',
  verified_at: null,
  version: 1,
  ...changes,
});

export const aSubscription = (changes: Partial<CompactSubscription> = {}): CompactSubscription => ({
  subscription_id: 'sub_0000000000000001',
  categories: ['travel.*'],
  filters: { min_budget: null, max_latency_ms: null, regions: [] },
  cpa_preferences: {
    only_cpa_enabled: false,
    min_bonus_opportunity: null,
    max_penalty_exposure: null,
    preferred_criteria: [],
  },
  delivery_method: 'webhook',
  webhook_url: 'https://agent.expedia.com/aex/work',
  created_at: '2026-01-02T00:00:00.000Z',
  ...changes,
});

/** By default of a provider that is eligible and subscribes to travel.*. */
export const aMatch = (changes: Partial<Match> = {}): Match => ({
  ...newMatch(aProvider()),
  keys: ['travel.'],
  subscriptions: [aSubscription()],
  score: { value: 90, source: 'operator', captured_at: '2026-02-28T00:00:00.000Z' },
  collateral: { IRR: '250000000' },
  ...changes,
});

export const anRfq = (changes: Partial<Rfq> = {}): Rfq => ({
  rfq_id: 'rfq_0000000000000001',
  org_slug: 'acme',
  status: 'OPEN',
  category: 'travel.booking',
  description: 'Two nights in Shiraz',
  budget: { max_price: '100', currency: 'USD' },
  bid_deadline: '2026-03-01T13:00:00.000Z',
  region: null,
  max_latency_ms: null,
  quantity: null,
  min_fill: null,
  min_trust_tier: null,
  specific_providers: [],
  split_allowed: false,
  success_criteria: [],
  cpa_terms: null,
  plan: { state: 'planning' },
  award: null,
  created_at: '2026-03-01T11:00:00.000Z',
  updated_at: '2026-03-01T11:00:00.000Z',
  version: 1,
  ...changes,
});

export const cpaTerms: NonNullable<Rfq['cpa_terms']> = {
  verification_method: 'automated',
  dispute_window_hours: 24,
  max_penalty_rate: 0.2,
  max_bonus: '0.05',
};

export const aQuote = (changes: Partial<Quote> = {}): Quote => ({
  quote_id: quoteId('rfq_0000000000000001', 'prov_0000000000000001', 1),
  rfq_id: 'rfq_0000000000000001',
  provider_id: 'prov_0000000000000001',
  status: 'SUBMITTED',
  price: '80',
  currency: 'USD',
  confidence: 0.9,
  capacity: null,
  cpa_acceptance: null,
  message: null,
  submitted_at: '2026-03-01T11:30:00.000Z',
  updated_at: '2026-03-01T11:30:00.000Z',
  version: 1,
  ...changes,
});

/**
 * What a decision leaves at `ref`, or null where it writes nothing. Checks all its writes on the way:
 * each fits the schema of its collection and holds nothing that Firestore refuses.
 */
export function docAt<Doc>(decision: Decision<unknown>, ref: Ref<Doc>): Doc | null {
  let found: Doc | null = null;
  for (const write of decision.writes) {
    if (write.kind === 'remove') continue;
    write.ref.collection.schema.parse(write.doc);
    assertStorable(write.doc, write.ref.path);
    if (write.ref.path === ref.path) found = ref.collection.schema.parse(write.doc);
  }
  return found;
}

function assertStorable(value: unknown, path: string): void {
  if (value === undefined) throw new Error(`${path} is undefined`);
  if (Array.isArray(value) && value.some(Array.isArray)) throw new Error(`${path}: list in a list`);
  if (value !== null && typeof value === 'object')
    for (const [key, member] of Object.entries(value)) assertStorable(member, `${path}.${key}`);
}

/** The error that `act` throws, to be compared in one piece. */
export function errorOf(act: () => unknown): unknown {
  try {
    act();
  } catch (error) {
    return error;
  }
  throw new Error('nothing was thrown');
}
