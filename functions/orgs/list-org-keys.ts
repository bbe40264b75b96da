import { z } from 'zod';

import { OrgKeyReply } from '../../shared/orgs/replies.ts';
import { orgKeys } from '../../shared/orgs/schema.ts';
import { orgKeyView } from '../../shared/orgs/view.ts';
import { endpoint } from '../../shared/runtime/endpoint.ts';
import { Paging } from '../../shared/runtime/paging.ts';

export default endpoint('list-org-keys', {
  summary: "List an organisation's keys, revoked ones too; never the keys themselves",
  query: Paging,
  reply: z.object({ keys: z.array(OrgKeyReply), next_cursor: z.string().nullable() }),
  handle: async ({ params: { org = '' }, query }, { store }) => {
    const page = await store.query({ collection: orgKeys, parents: [org], ...query });
    return { keys: page.docs.map(orgKeyView), next_cursor: page.nextCursor };
  },
});
