import { type AuditPage, PAGE_SIZE, buildPage } from '../eligibility/audit.ts';
import { type Settings, select } from '../eligibility/select.ts';
import type { Match } from '../matching/schema.ts';
import type { Recipient } from './delivery.ts';
import type { Rfq } from './schema.ts';
import { demandsOf, matchRequestOf } from './terms.ts';

export interface PagePlan {
  readonly page: AuditPage;
  /** The eligible ones of the page, who are told. */
  readonly recipients: readonly Recipient[];
}

/**
 * Decides about one page of candidates: everyone whose subscription fits gets a decision, whatever its
 * status, and the eligible ones are told.
 *
 * @param candidates up to 300 match documents with a key of the category, ordered by id, after the
 *   previous page's cursor; fewer than 300 means that these are the last
 * @param previous the page before; null for the first
 */
export function planPage(
  rfq: Rfq,
  candidates: readonly Match[],
  previous: AuditPage | null,
  settings: Settings,
  at: Date,
): PagePlan {
  const request = matchRequestOf(rfq);
  const demands = demandsOf(rfq, settings.registry);
  const decisions = candidates
    .filter((match) => isInvited(rfq, match))
    .flatMap((match) => select(match, request, demands, settings, at)?.decision ?? []);
  const page = buildPage(
    previous,
    {
      rfq_id: rfq.rfq_id,
      decisions,
      cursor: candidates.at(-1)?.provider_id ?? previous?.cursor ?? null,
      last: candidates.length < PAGE_SIZE,
    },
    at,
  );
  return { page, recipients: recipientsOf(page) };
}

/** Whom a page tells. It follows from the page alone, so that one found in the store is used as it is. */
export const recipientsOf = ({ rfq_id, decisions }: AuditPage): Recipient[] =>
  decisions.flatMap(({ eligible, provider_id, subscription_id }) =>
    eligible && subscription_id !== null ? [{ rfq_id, provider_id, subscription_id }] : [],
  );

const isInvited = ({ specific_providers }: Rfq, { provider_id }: Match): boolean =>
  specific_providers.length === 0 || specific_providers.includes(provider_id);
