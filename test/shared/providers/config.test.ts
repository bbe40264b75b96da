import { describe, expect, it } from 'vitest';

import { parseProviderRegistry } from '../../../shared/providers/config.ts';
import { knownMetrics, registry } from '../examples.ts';

describe('provider-registry.yaml', () => {
  it('holds every key of the specification with its value', () => {
    expect(registry).toEqual({
      cpa: {
        enabled: true,
        certification_required: true,
        certification_validity_days: 365,
        max_penalty_cap: 0.5,
      },
      outcome_tracking: {
        enabled: true,
        history_retention_days: 365,
        window_sizes: [30, 90, 365],
      },
      ml_features: {
        enabled: true,
        computation_interval_hours: 6,
        min_contracts_for_features: 10,
        trust_scoring_url: null,
      },
      subscriptions: { cpa_filter_enabled: true, default_cpa_preference: false },
      trust: { initial_score: 0.3 },
    });
  });

  it('takes ${NAME} from the environment', () => {
    const file = {
      provider_registry: {
        ...registry,
        ml_features: { ...registry.ml_features, trust_scoring_url: '${TRUST_SCORING_URL}' },
      },
    };
    const url = 'https://trust.example';
    expect(
      parseProviderRegistry(file, { TRUST_SCORING_URL: url }).ml_features.trust_scoring_url,
    ).toBe(url);
  });

  it('is refused with an unknown or a missing key', () => {
    expect(() =>
      parseProviderRegistry({ provider_registry: { ...registry, extra: 1 } }, {}),
    ).toThrow('extra');
    expect(() => parseProviderRegistry({ provider_registry: {} }, {})).toThrow('cpa');
  });
});

describe('known-metrics.yaml', () => {
  it.each(['booking_confirmed', 'response_time_ms', 'price_accuracy', 'options_count'])(
    'knows %s, which the specification uses',
    (metric) => {
      expect(knownMetrics).toHaveProperty(metric);
    },
  );

  it('says which way a time is better', () => {
    expect(knownMetrics['response_time_ms']).toMatchObject({
      unit: 'ms',
      direction: 'lower_is_better',
    });
  });
});
