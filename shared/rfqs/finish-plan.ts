import type { AuditPage } from '../eligibility/audit.ts';
import { notFound } from '../errors.ts';
import { ref } from '../store/collection.ts';
import { type Command, type Decision, type Docs, set } from '../store/decision.ts';
import { type Rfq, rfqs } from './schema.ts';

export interface FinishPlanCommand extends Command {
  readonly last_page: AuditPage;
}

export const finishPlanRefs = ({ last_page }: Pick<FinishPlanCommand, 'last_page'>) => ({
  rfq: ref(rfqs, last_page.rfq_id),
});

/**
 * Puts the counts and the root of the audit chain onto the RFQ, and publishes them. A plan that is
 * finished stays as it is.
 *
 * @throws {AppError} `not_found`
 * @throws {RangeError} for a page that is not the last
 */
export function finishPlan(
  { rfq }: Docs<ReturnType<typeof finishPlanRefs>>,
  { last_page, at }: FinishPlanCommand,
): Decision<Rfq> {
  if (!rfq) throw notFound('RFQ');
  if (!last_page.last) throw new RangeError(`page ${last_page.index} is not the last one`);
  if (rfq.plan.state === 'planned') return { writes: [], reply: rfq };
  const { matched, eligible } = last_page.totals;
  const outcome = { audit_root: last_page.hash, pages: last_page.index + 1, matched, eligible };
  const planned_at = at.toISOString();
  const next: Rfq = {
    ...rfq,
    plan: { state: 'planned', ...outcome, planned_at },
    updated_at: planned_at,
    version: rfq.version + 1,
  };
  return {
    writes: [set(ref(rfqs, rfq.rfq_id), next)],
    events: [
      {
        topic: 'aex-bid-events',
        type: 'rfq.planned',
        subject: ref(rfqs, rfq.rfq_id).path,
        version: next.version,
        fields: { rfq_id: rfq.rfq_id, ...outcome, planned_at },
      },
    ],
    reply: next,
  };
}
