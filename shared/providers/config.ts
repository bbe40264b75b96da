import { z } from 'zod';

import { Rate } from './cpa.ts';

/** `configs/provider-registry.yaml`: every key of the specification's block, and `trust`. */
export const ProviderRegistry = z.strictObject({
  cpa: z.strictObject({
    /** False answers 404 `feature_disabled` on CPA routes. */
    enabled: z.boolean(),
    /** Whether work with CPA terms needs an unexpired certification. */
    certification_required: z.boolean(),
    certification_validity_days: z.int().positive(),
    /** `max_penalty_accepted` above it is clamped. */
    max_penalty_cap: Rate,
  }),
  outcome_tracking: z.strictObject({
    enabled: z.boolean(),
    history_retention_days: z.int().positive(),
    window_sizes: z.array(z.int().positive()).min(1),
  }),
  ml_features: z.strictObject({
    enabled: z.boolean(),
    computation_interval_hours: z.int().positive(),
    min_contracts_for_features: z.int().positive(),
    /** Null: predictions come from the built-in model. */
    trust_scoring_url: z.url().nullable(),
  }),
  subscriptions: z.strictObject({
    cpa_filter_enabled: z.boolean(),
    /** Fills an absent `only_cpa_enabled`. */
    default_cpa_preference: z.boolean(),
  }),
  trust: z.strictObject({
    /** The `trust_score` of a provider that has just registered. */
    initial_score: Rate,
  }),
});
export type ProviderRegistry = z.infer<typeof ProviderRegistry>;

const ProviderRegistryFile = z.strictObject({ provider_registry: ProviderRegistry });

/**
 * The parsed file with each `${NAME}` replaced from `environment`, or by null where that is not set.
 *
 * @throws {z.ZodError} naming every wrong or missing key
 */
export const parseProviderRegistry = (
  file: unknown,
  environment: Readonly<Record<string, string | undefined>>,
): ProviderRegistry =>
  ProviderRegistryFile.parse(withVariables(file, environment)).provider_registry;

function withVariables(
  value: unknown,
  environment: Readonly<Record<string, string | undefined>>,
): unknown {
  if (typeof value === 'string') {
    const name = /^\$\{(\w+)\}$/.exec(value)?.[1];
    return name === undefined ? value : environment[name] || null;
  }
  if (Array.isArray(value)) return value.map((item) => withVariables(item, environment));
  if (value === null || typeof value !== 'object') return value;
  return Object.fromEntries(
    Object.entries(value).map(([key, member]) => [key, withVariables(member, environment)]),
  );
}

/** `configs/known-metrics.yaml`: what each metric means, so that a margin has a sign and a unit. */
export const KnownMetrics = z
  .strictObject({
    metrics: z.record(
      z.string().regex(/^[a-z][a-z0-9_]*$/),
      z.strictObject({
        type: z.enum(['boolean', 'number']),
        unit: z.enum(['none', 'ms', 's', 'ratio', 'count', 'characters', 'words']),
        /** `none` where more is neither better nor worse; such a metric has no margin. */
        direction: z.enum(['higher_is_better', 'lower_is_better', 'none']),
        description: z.string().min(1),
      }),
    ),
  })
  .transform(({ metrics }) => metrics);
export type KnownMetrics = z.infer<typeof KnownMetrics>;
