import type { EligibilityDecision } from './decision.ts';

/** GET /v1/providers/{id}/eligibility. */
export const eligibilityView = ({
  provider_id,
  eligible,
  reasons,
  score,
  collateral,
  policy_version,
  decided_at,
}: EligibilityDecision) => ({
  provider_id,
  eligible,
  reasons,
  score,
  collateral,
  policy_version,
  checked_at: decided_at,
});
