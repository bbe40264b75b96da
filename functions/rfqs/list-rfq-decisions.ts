import { z } from 'zod';

import { type AuditPage, pageRef } from '../../shared/eligibility/audit.ts';
import type { EligibilityDecision } from '../../shared/eligibility/decision.ts';
import { DecisionReply } from '../../shared/rfqs/replies.ts';
import { cursorOf, valuesOf } from '../../shared/runtime/cursor.ts';
import { endpoint } from '../../shared/runtime/endpoint.ts';
import { Paging } from '../../shared/runtime/paging.ts';
import { ownRfq } from '../../shared/runtime/rfq-access.ts';
import { invalid } from '../../shared/runtime/validate.ts';

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
    const decisions: EligibilityDecision[] = [];
    let at: Place | null = cursor === undefined ? { page: 0, offset: 0 } : placeOf(cursor);
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
      next_cursor: at && cursorOf([at.page, String(at.offset)]),
    };
  },
});

interface Place {
  readonly page: number;
  readonly offset: number;
}

function placeOf(cursor: string): Place {
  const [page = NaN, offset = NaN] = valuesOf(cursor, 2).map(Number);
  if (![page, offset].every((number) => Number.isSafeInteger(number) && number >= 0))
    throw invalid([{ field: 'query.cursor', reason: 'is not a cursor; take it from next_cursor' }]);
  return { page, offset };
}
