import { z } from 'zod';

import { type AuditPage, pageRef } from '../../shared/eligibility/audit.ts';
import type { EligibilityDecision } from '../../shared/eligibility/decision.ts';
import { DecisionReply } from '../../shared/rfqs/replies.ts';
import { cursorOf, valuesOf } from '../../shared/runtime/cursor.ts';
import { endpoint } from '../../shared/runtime/endpoint.ts';
import { Paging } from '../../shared/runtime/paging.ts';
import { ownRfq } from '../../shared/runtime/rfq-access.ts';

/** Stored pages that one answer reads at most: few may match on each. */
const PAGES_READ_MAX = 10;

export default endpoint('list-rfq-decisions', {
  summary: 'List what was decided about every matching provider, with all reasons',
  query: Paging,
  reply: z.object({
    decisions: z.array(DecisionReply),
    /** Set once everybody was decided about. */
    audit_root: z.string().nullable(),
    next_cursor: z.string().nullable(),
  }),
  handle: async ({ params: { rfq_id = '' }, query: { limit, cursor } }, { store, caller }) => {
    const rfq = await ownRfq(store, caller, rfq_id);
    const [page = 0, offset = 0] = cursor === undefined ? [] : valuesOf(cursor, 2).map(Number);
    const decisions: EligibilityDecision[] = [];
    let at: { page: number; offset: number } | null = { page, offset };
    for (let reads = 0; at && decisions.length < limit && reads < PAGES_READ_MAX; reads++) {
      const found: AuditPage | null = await store.get(pageRef(rfq_id, at.page));
      const taken = found?.decisions.slice(at.offset, at.offset + limit - decisions.length) ?? [];
      decisions.push(...taken);
      const consumed: number = at.offset + taken.length;
      if (!found) at = null;
      else if (consumed < found.decisions.length) at = { page: at.page, offset: consumed };
      else at = found.last ? null : { page: at.page + 1, offset: 0 };
    }
    return {
      decisions,
      audit_root: rfq.plan.state === 'planned' ? rfq.plan.audit_root : null,
      next_cursor: at && cursorOf([at.page, at.offset]),
    };
  },
});
