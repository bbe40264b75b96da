import { describe, expect, it } from 'vitest';

import { ownerView, publicView } from '../../../shared/providers/view.ts';
import { aProvider } from '../examples.ts';

const provider = aProvider({
  cpa_enabled: true,
  cpa_status: 'CERTIFIED',
  cpa_profile: {
    accepts_cpa_terms: true,
    max_penalty_accepted: 0.25,
    preferred_bonus_structure: 'flat',
    verification_support: ['receipt'],
    supported_metrics: ['booking_confirmed'],
    min_confidence_threshold: 0.7,
    penalty_buffer_percentage: 10,
    cpa_certified: true,
    certification_date: '2026-01-15T00:00:00.000Z',
    certification_expires: '2027-01-15T00:00:00.000Z',
  },
  pricing_tiers: [
    {
      category: 'travel.booking',
      base_price_range: ['0.05', '0.15'],
      accepts_cpa: true,
      min_bonus_for_cpa: '0.02',
      max_penalty_for_cpa: 0.25,
      priority: 0,
    },
  ],
});

describe('a provider as everybody sees it', () => {
  const view = publicView(provider, { subscriptions: [] });

  it('has the fields of the specification, with null for what is not known yet', () => {
    expect(view).toMatchObject({
      stats: { total_contracts: 0, success_rate: null, avg_response_time_ms: null },
      cpa_profile: {
        accepts_cpa_terms: true,
        max_penalty_accepted: 0.25,
        cpa_certified: true,
        certification_expires: '2027-01-15T00:00:00.000Z',
      },
      outcome_summary: null,
      ml_prediction: null,
    });
  });

  it('hides e-mail, metadata, webhooks and what the provider would accept at worst', () => {
    const text = JSON.stringify(view);
    for (const hidden of [
      'agents@expedia.com',
      'Expedia Group',
      'aex/work',
      'pricing_tiers',
      'min_confidence_threshold',
      'penalty_buffer_percentage',
    ])
      expect(text).not.toContain(hidden);
  });
});

describe('a provider as its owner sees it', () => {
  it('is whole, with prices as JSON numbers', () => {
    expect(ownerView(provider, { subscriptions: ['one'] })).toMatchObject({
      contact_email: 'agents@expedia.com',
      metadata: { company: 'Expedia Group' },
      subscriptions: ['one'],
      cpa_profile: provider.cpa_profile,
      pricing_tiers: [{ base_price_range: [0.05, 0.15], min_bonus_for_cpa: 0.02 }],
    });
  });
});
