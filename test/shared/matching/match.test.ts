import { describe, expect, it } from 'vitest';

import {
  type MatchRequest,
  type OfferedCpa,
  matchSubscription,
  tierFor,
} from '../../../shared/matching/match.ts';
import type { Filters, Match, SubscriptionCpa } from '../../../shared/matching/schema.ts';
import type { PricingTier } from '../../../shared/providers/cpa.ts';
import { aMatch, aSubscription } from '../examples.ts';

const request = (changes: Partial<MatchRequest> = {}): MatchRequest => ({
  category: 'travel.booking',
  ...changes,
});

const withFilters = (filters: Partial<Filters>) =>
  aMatch({
    subscriptions: [aSubscription({ filters: { ...aSubscription().filters, ...filters } })],
  });

const withCpa = (cpa: Partial<SubscriptionCpa>, tiers: PricingTier[] = []) =>
  aMatch({
    subscriptions: [
      aSubscription({ cpa_preferences: { ...aSubscription().cpa_preferences, ...cpa } }),
    ],
    pricing_tiers: tiers,
  });

const aTier = (changes: Partial<PricingTier> = {}): PricingTier => ({
  category: 'travel.booking',
  base_price_range: ['0.05', '0.15'],
  accepts_cpa: true,
  min_bonus_for_cpa: '0',
  max_penalty_for_cpa: 0.5,
  priority: 0,
  ...changes,
});

const profile: NonNullable<Match['cpa']> = {
  accepts_cpa_terms: true,
  certified: true,
  expires_at: null,
  max_penalty_accepted: 0.25,
  supported_metrics: [],
};

const offered = (changes: Partial<OfferedCpa> = {}): OfferedCpa => ({
  bonus: '0.05',
  penalty_rate: 0.2,
  metrics: ['booking_confirmed'],
  ...changes,
});

describe('filters', () => {
  it('skip a request outside the categories', () => {
    expect(matchSubscription(aMatch(), request({ category: 'travel' }))).toBeNull();
  });

  it.each([
    ['0.05', '0.05', true],
    ['0.05', '0.049', false],
    ['0.1', '0.10000', true],
  ])('min_budget %s and a budget of %s: told %s', (min_budget, max_price, told) => {
    const found = matchSubscription(withFilters({ min_budget }), request({ max_price }));
    expect(found !== null).toBe(told);
  });

  it.each([
    [5_000, 5_000, true],
    [5_000, 10_000, true],
    [5_000, 4_999, false],
  ])('a provider that needs %i ms and a limit of %i ms: told %s', (own, allowed, told) => {
    const found = matchSubscription(
      withFilters({ max_latency_ms: own }),
      request({ max_latency_ms: allowed }),
    );
    expect(found !== null).toBe(told);
  });

  it('regions: only requests for one of them, or for none in particular', () => {
    const european = withFilters({ regions: ['eu'] });
    expect(matchSubscription(european, request({ region: 'eu' }))).not.toBeNull();
    expect(matchSubscription(european, request({ region: 'us' }))).toBeNull();
    expect(matchSubscription(european, request())).not.toBeNull();
  });
});

describe('CPA preferences', () => {
  it('skip work without CPA terms where only_cpa_enabled', () => {
    const only = withCpa({ only_cpa_enabled: true });
    expect(matchSubscription(only, request({ cpa: null }))).toBeNull();
    expect(matchSubscription(only, request({ cpa: offered() }))).not.toBeNull();
  });

  it('skip a bonus below min_bonus_opportunity or the tier’s min_bonus_for_cpa', () => {
    const wants = withCpa({ min_bonus_opportunity: '0.02' }, [
      aTier({ min_bonus_for_cpa: '0.04' }),
    ]);
    expect(matchSubscription(wants, request({ cpa: offered({ bonus: '0.04' }) }))).not.toBeNull();
    expect(matchSubscription(wants, request({ cpa: offered({ bonus: '0.03' }) }))).toBeNull();
    expect(matchSubscription(wants, request({ cpa: null }))).not.toBeNull();
  });

  it('skip a penalty rate above max_penalty_exposure or the tier’s max_penalty_for_cpa', () => {
    const wants = withCpa({ max_penalty_exposure: 0.3 }, [aTier({ max_penalty_for_cpa: 0.25 })]);
    const at = (penalty_rate: number) => request({ cpa: offered({ penalty_rate }) });
    expect(matchSubscription(wants, at(0.25))).not.toBeNull();
    expect(matchSubscription(wants, at(0.26))).toBeNull();
  });

  it('skip CPA terms where the tier does not accept them, but not other work', () => {
    const refuses = withCpa({}, [aTier({ accepts_cpa: false })]);
    expect(matchSubscription(refuses, request({ cpa: offered() }))).toBeNull();
    expect(matchSubscription(refuses, request({ cpa: null }))).not.toBeNull();
    const elsewhere = request({ cpa: offered(), category: 'travel.search' });
    expect(matchSubscription(refuses, elsewhere)).not.toBeNull();
  });

  it('skip CPA terms that the profile does not accept, whatever the tier says', () => {
    const refuses = aMatch({
      cpa: { ...profile, accepts_cpa_terms: false },
      pricing_tiers: [aTier()],
    });
    expect(matchSubscription(refuses, request({ cpa: offered() }))).toBeNull();
    expect(matchSubscription(refuses, request({ cpa: null }))).not.toBeNull();
  });

  it.each([
    ['accepts CPA', { cpa: profile }, true],
    [
      'accepts CPA, within limits',
      { cpa: profile, pricing_tiers: [aTier({ min_bonus_for_cpa: '9' })] },
      true,
    ],
    ['is not set up for CPA', { cpa: null, pricing_tiers: [aTier()] }, false],
    ['has a profile that refuses', { cpa: { ...profile, accepts_cpa_terms: false } }, false],
    [
      'has a tier that refuses',
      { cpa: profile, pricing_tiers: [aTier({ accepts_cpa: false })] },
      false,
    ],
    [
      'has a tier that refuses elsewhere',
      { cpa: profile, pricing_tiers: [aTier({ accepts_cpa: false, category: 'legal' })] },
      true,
    ],
  ])('where terms are sure but unknown: who %s', (_, changes, found) => {
    for (const cpaFilterEnabled of [true, false])
      expect(
        matchSubscription(aMatch(changes), request({ cpa: 'terms_unknown' }), {
          cpaFilterEnabled,
        }) !== null,
      ).toBe(found);
  });

  it('do not count when they are switched off', () => {
    const only = withCpa({ only_cpa_enabled: true });
    expect(
      matchSubscription(only, request({ cpa: null }), { cpaFilterEnabled: false }),
    ).not.toBeNull();
  });

  it('of a category come from its most specific tier, then the lowest priority', () => {
    const tiers = [
      aTier({ category: 'travel.*', priority: 0 }),
      aTier({ priority: 2 }),
      aTier({ priority: 1 }),
    ];
    expect(tierFor(tiers, 'travel.booking')?.priority).toBe(1);
    expect(tierFor(tiers, 'travel.search')?.category).toBe('travel.*');
    expect(tierFor(tiers, 'legal')).toBeUndefined();
  });
});

describe('among several subscriptions that fit', () => {
  const general = aSubscription({ subscription_id: 'sub_general', categories: ['*', 'travel.*'] });
  const specific = aSubscription({
    subscription_id: 'sub_specific',
    categories: ['travel.booking'],
  });

  it('the most specific pattern wins', () => {
    const match = aMatch({ subscriptions: [general, specific] });
    expect(matchSubscription(match, request())).toBe(specific);
  });

  it('one that prefers the request’s criteria goes first', () => {
    const prefers = {
      ...general,
      cpa_preferences: { ...general.cpa_preferences, preferred_criteria: ['booking_confirmed'] },
    };
    const match = aMatch({ subscriptions: [specific, prefers] });
    expect(matchSubscription(match, request({ cpa: offered() }))).toBe(prefers);
  });

  it('the oldest wins among equals, so that the choice never changes', () => {
    const older = { ...specific, subscription_id: 'sub_z', created_at: '2025-01-01T00:00:00.000Z' };
    const match = aMatch({ subscriptions: [specific, older] });
    expect(matchSubscription(match, request())).toBe(older);
  });
});
