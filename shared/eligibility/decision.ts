import { z } from 'zod';

import type { Match } from '../matching/schema.ts';
import { StoredDecimal } from '../money/decimal.ts';
import { Timestamp } from '../time.ts';
import { type Demands, evaluate, reasons } from './evaluate.ts';
import { type EligibilityPolicy, thresholdsFor } from './policy.ts';

/** One provider's decision, with all that it was made on. */
export const EligibilityDecision = z.object({
  provider_id: z.string(),
  /** The subscription through which it is told; null for a check without one. */
  subscription_id: z.string().nullable(),
  eligible: z.boolean(),
  reasons: z.array(z.enum(reasons)),
  score: z.number().nullable(),
  /** In the currency that the policy asks for. */
  collateral: z.object({ amount: StoredDecimal, currency: z.string() }),
  policy_version: z.string(),
  decided_at: Timestamp,
});
export type EligibilityDecision = z.infer<typeof EligibilityDecision>;

/** What a decision is made under. `policy_version` is passed in, to be computed once and not per provider. */
export interface Grounds {
  readonly policy: EligibilityPolicy;
  readonly policy_version: string;
  readonly category: string;
  readonly demands?: Demands;
}

export function decide(
  match: Match,
  subscriptionId: string | null,
  { policy, policy_version, category, demands }: Grounds,
  at: Date,
): EligibilityDecision {
  const thresholds = thresholdsFor(policy, category);
  const { currency } = thresholds.min_collateral;
  const { eligible, reasons: found } = evaluate(match, thresholds, at, demands);
  return {
    provider_id: match.provider_id,
    subscription_id: subscriptionId,
    eligible,
    reasons: [...found],
    score: match.score?.value ?? null,
    collateral: { amount: match.collateral[currency] ?? '0', currency },
    policy_version,
    decided_at: at.toISOString(),
  };
}
