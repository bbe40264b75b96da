import { z } from 'zod';

import { newId } from '../../shared/ids.ts';
import { OrgSlug, orgs } from '../../shared/orgs/schema.ts';
import { createRfq } from '../../shared/rfqs/create.ts';
import { RfqReply } from '../../shared/rfqs/replies.ts';
import { CreateRfq } from '../../shared/rfqs/schema.ts';
import { rfqView } from '../../shared/rfqs/view.ts';
import { endpoint } from '../../shared/runtime/endpoint.ts';
import { invalid } from '../../shared/runtime/validate.ts';
import { ref } from '../../shared/store/collection.ts';

/** The buyer of an RFQ is the key's organisation; the operator, who has none, says for whom. */
const Body = z.intersection(CreateRfq, z.object({ org_slug: OrgSlug.optional() }));

export default endpoint('create-rfq', {
  summary: 'Open an RFQ; the eligible providers that match are told of it',
  body: Body,
  reply: RfqReply,
  status: 201,
  handle: async (
    { body: { org_slug: given, ...request } },
    { caller, store, command, randomBytes },
  ) => {
    const orgSlug = caller.kind === 'org' ? caller.orgSlug : given;
    if (orgSlug === undefined)
      throw invalid([{ field: 'body.org_slug', reason: 'is needed from the operator' }]);
    if (given !== undefined && given !== orgSlug)
      throw invalid([
        { field: 'body.org_slug', reason: "is not this key's organisation; leave it out" },
      ]);
    if (caller.kind !== 'org' && !(await store.get(ref(orgs, orgSlug))))
      throw invalid([
        { field: 'body.org_slug', reason: 'is no organisation here; create it first' },
      ]);
    const creating = command({ request, rfq_id: newId('rfq', randomBytes(8)), org_slug: orgSlug });
    const { reply } = await store.apply(creating, {}, createRfq);
    return rfqView(reply, { delivered: 0, failed: 0 });
  },
});
