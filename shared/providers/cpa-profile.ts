import { invalidField } from '../invalid-field.ts';
import type { KnownMetrics, ProviderRegistry } from './config.ts';
import {
  type CpaPreferences,
  type CpaProfile,
  type GivenPricingTier,
  type PricingTier,
  verificationKinds,
} from './cpa.ts';

/**
 * An uncertified profile from what a provider declares, and what was changed in it, in words.
 *
 * @throws {AppError} `invalid_request` for a metric or a kind of verification that is not known
 */
export function newCpaProfile(
  preferences: CpaPreferences,
  { cpa: { max_penalty_cap } }: ProviderRegistry,
  knownMetrics: KnownMetrics,
): { profile: CpaProfile; warnings: string[] } {
  const unknownMetric = preferences.supported_metrics.findIndex(
    (metric) => !Object.hasOwn(knownMetrics, metric),
  );
  if (unknownMetric !== -1)
    throw invalidField(
      `body.cpa_preferences.supported_metrics.${unknownMetric}`,
      `Unknown metric: ${preferences.supported_metrics[unknownMetric]}. Known are ${Object.keys(knownMetrics).join(', ')}.`,
    );
  const known: readonly string[] = verificationKinds;
  const unknownKind = preferences.verification_support.findIndex((kind) => !known.includes(kind));
  if (unknownKind !== -1)
    throw invalidField(
      `body.cpa_preferences.verification_support.${unknownKind}`,
      `Invalid verification type: ${preferences.verification_support[unknownKind]}. Use ${known.join(', ')}.`,
    );
  const { max_penalty_accepted } = preferences;
  return {
    profile: {
      ...preferences,
      max_penalty_accepted: Math.min(max_penalty_accepted, max_penalty_cap),
      cpa_certified: false,
      certification_date: null,
      certification_expires: null,
    },
    warnings:
      max_penalty_accepted > max_penalty_cap
        ? [
            `max_penalty_accepted ${max_penalty_accepted} is above the cap and was set to ${max_penalty_cap}.`,
          ]
        : [],
  };
}

/** A missing priority is the list position. */
export const withPriorities = (tiers: readonly GivenPricingTier[]): PricingTier[] =>
  tiers.map((tier, position) => ({ ...tier, priority: tier.priority ?? position }));
