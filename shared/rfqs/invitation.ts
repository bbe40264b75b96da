import type { AuditPage } from '../eligibility/audit.ts';
import type { EligibilityDecision } from '../eligibility/decision.ts';

/** The decision about one provider on the page that holds it; null when no page does. */
export const decisionAbout = (
  providerId: string,
  pages: readonly AuditPage[],
): EligibilityDecision | null =>
  pages.flatMap(({ decisions }) => decisions).find((each) => each.provider_id === providerId) ??
  null;

/** The quotes address a webhook carries. */
export const quotesUrl = (publicUrl: string, rfqId: string): string =>
  `${publicUrl}/v1/rfqs/${rfqId}/quotes`;
