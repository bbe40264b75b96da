import type { Match } from '../matching/schema.ts';
import { compareDecimals } from '../money/decimal.ts';
import { type TrustTier, higherTier, isTierBelow } from '../providers/tier.ts';
import type { Thresholds } from './policy.ts';

/** Every reason for not being eligible, in the order in which they are listed. */
export const reasons = [
  'provider_not_active',
  'score_missing',
  'score_stale',
  'score_below_threshold',
  'insufficient_collateral',
  'collateral_currency_mismatch',
  'cpa_not_certified',
  'certification_expired',
  'tier_below_minimum',
] as const;
type Reason = (typeof reasons)[number];

/** The part of a match document that eligibility depends on. */
export type Subject = Pick<Match, 'status' | 'score' | 'collateral' | 'trust_tier' | 'cpa'>;

/** What a request asks beyond the policy. */
export interface Demands {
  readonly cpa_certified?: boolean;
  readonly min_tier?: TrustTier;
}

export interface Eligibility {
  readonly eligible: boolean;
  readonly reasons: readonly Reason[];
}

const DAY_MS = 24 * 60 * 60 * 1_000;

/** Whether a provider may be told of a request, and every reason if not. */
export function evaluate(
  subject: Subject,
  thresholds: Thresholds,
  at: Date,
  demands: Demands = {},
): Eligibility {
  const applies: Record<Reason, boolean> = {
    provider_not_active: subject.status !== 'ACTIVE',
    ...scoreReasons(subject, thresholds, at),
    ...collateralReasons(subject, thresholds),
    ...certificationReasons(
      subject,
      at,
      thresholds.cpa_certified || demands.cpa_certified === true,
    ),
    tier_below_minimum: isTierBelow(
      subject.trust_tier,
      higherTier(thresholds.min_tier, demands.min_tier ?? thresholds.min_tier),
    ),
  };
  const found = reasons.filter((reason) => applies[reason]);
  return { eligible: found.length === 0, reasons: found };
}

const scoreReasons = (
  { score }: Subject,
  { min_score, max_score_age_days }: Thresholds,
  at: Date,
) => ({
  score_missing: score === null,
  score_stale:
    score !== null && at.getTime() - Date.parse(score.captured_at) > max_score_age_days * DAY_MS,
  score_below_threshold: score !== null && score.value < min_score,
});

/** Without any collateral it is insufficient; with some, but none in the currency, it mismatches. */
function collateralReasons({ collateral }: Subject, { min_collateral }: Thresholds) {
  const { amount, currency } = min_collateral;
  const isShort = compareDecimals(collateral[currency] ?? '0', amount) < 0;
  const isElsewhere = !(currency in collateral) && Object.keys(collateral).length > 0;
  return {
    insufficient_collateral: isShort && !isElsewhere,
    collateral_currency_mismatch: isShort && isElsewhere,
  };
}

function certificationReasons({ cpa }: Subject, at: Date, isDemanded: boolean) {
  const hasExpired = cpa?.expires_at != null && Date.parse(cpa.expires_at) <= at.getTime();
  return {
    cpa_not_certified: isDemanded && !hasExpired && cpa?.certified !== true,
    certification_expired: isDemanded && hasExpired,
  };
}
