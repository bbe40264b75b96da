import { z } from 'zod';

import { notFound } from '../../shared/errors.ts';
import { OrgKeyReply } from '../../shared/orgs/replies.ts';
import { orgKeys, orgs } from '../../shared/orgs/schema.ts';
import { orgKeyView } from '../../shared/orgs/view.ts';
import { endpoint } from '../../shared/runtime/endpoint.ts';
import { Paging } from '../../shared/runtime/paging.ts';
import { ref } from '../../shared/store/collection.ts';

export default endpoint('list-org-keys', {
  summary: "List an organisation's keys, revoked ones too; never the keys themselves",
  query: Paging,
  reply: z.object({ keys: z.array(OrgKeyReply), next_cursor: z.string().nullable() }),
  handle: async ({ params: { org = '' }, query }, { store }) => {
    const page = await store.query({ collection: orgKeys, parents: [org], ...query });
    if (page.docs.length === 0 && !(await store.get(ref(orgs, org))))
      throw notFound('organisation');
    return { keys: page.docs.map(orgKeyView), next_cursor: page.nextCursor };
  },
});
