import { z } from 'zod';

import { OrgSlug } from '../../shared/orgs/schema.ts';
import { RfqReply } from '../../shared/rfqs/replies.ts';
import { rfqs } from '../../shared/rfqs/schema.ts';
import { rfqView } from '../../shared/rfqs/view.ts';
import { endpoint } from '../../shared/runtime/endpoint.ts';
import { Paging } from '../../shared/runtime/paging.ts';
import { invalid } from '../../shared/runtime/validate.ts';

export default endpoint('list-rfqs', {
  summary: "List the buyer's RFQs, newest first; delivery counts are in GET /v1/rfqs/{rfq_id}",
  query: Paging.extend({ org_slug: OrgSlug.optional() }),
  reply: z.object({
    rfqs: z.array(RfqReply.omit({ counts: true })),
    next_cursor: z.string().nullable(),
  }),
  handle: async ({ query: { limit, cursor, org_slug } }, { store, caller }) => {
    const own = caller.kind === 'org' ? caller.orgSlug : undefined;
    if (own !== undefined && org_slug !== undefined && own !== org_slug)
      throw invalid([
        { field: 'query.org_slug', reason: "is not this key's organisation; leave it out" },
      ]);
    const owner = own ?? org_slug;
    const page = await store.query({
      collection: rfqs,
      where: owner === undefined ? [] : [{ field: 'org_slug', op: '==', value: owner }],
      orderBy: { field: 'created_at', descending: true },
      limit,
      cursor,
    });
    return {
      rfqs: page.docs.map((rfq) => rfqView(rfq, { delivered: 0, failed: 0 })),
      next_cursor: page.nextCursor,
    };
  },
});
