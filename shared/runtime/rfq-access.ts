import { type AuditPage, auditPages } from '../eligibility/audit.ts';
import type { EligibilityDecision } from '../eligibility/decision.ts';
import { notFound } from '../errors.ts';
import { decisionAbout } from '../rfqs/invitation.ts';
import { type Rfq, rfqs } from '../rfqs/schema.ts';
import { ref } from '../store/collection.ts';
import type { Caller } from './caller.ts';
import type { Store } from './services.ts';

/**
 * The RFQ of a buyer, or for the operator anybody's.
 *
 * @throws {AppError} `not_found` when it is absent or another's
 */
export async function ownRfq(store: Store, caller: Caller, rfqId: string): Promise<Rfq> {
  const rfq = await store.get(ref(rfqs, rfqId));
  if (!rfq || (caller.kind === 'org' && caller.orgSlug !== rfq.org_slug)) throw notFound('RFQ');
  return rfq;
}

/** What was decided about a provider for an RFQ: one read, for pages know whom they hold. */
export async function invitationOf(
  store: Store,
  rfqId: string,
  providerId: string,
): Promise<EligibilityDecision | null> {
  const { docs } = await store.query<AuditPage>({
    collection: auditPages,
    parents: [rfqId],
    where: [{ field: 'provider_ids', op: 'array-contains', value: providerId }],
    limit: 1,
  });
  return decisionAbout(providerId, docs);
}
