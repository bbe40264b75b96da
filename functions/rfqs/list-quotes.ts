import { z } from 'zod';

import { quotes } from '../../shared/rfqs/quote.ts';
import { QuoteReply } from '../../shared/rfqs/replies.ts';
import { quoteView } from '../../shared/rfqs/view.ts';
import { endpoint } from '../../shared/runtime/endpoint.ts';
import { Paging } from '../../shared/runtime/paging.ts';
import { ownRfq } from '../../shared/runtime/rfq-access.ts';

export default endpoint('list-quotes', {
  summary: 'List the quotes of an RFQ: all to its buyer, a provider sees its own',
  query: Paging,
  reply: z.object({ quotes: z.array(QuoteReply), next_cursor: z.string().nullable() }),
  handle: async ({ params: { rfq_id = '' }, query }, { store, caller }) => {
    if (caller.kind !== 'provider') await ownRfq(store, caller, rfq_id);
    const page = await store.query({
      collection: quotes,
      parents: [rfq_id],
      where:
        caller.kind === 'provider'
          ? [{ field: 'provider_id', op: '==', value: caller.providerId }]
          : [],
      ...query,
    });
    return { quotes: page.docs.map(quoteView), next_cursor: page.nextCursor };
  },
});
