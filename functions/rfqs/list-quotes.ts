import { z } from 'zod';

import { notFound } from '../../shared/errors.ts';
import { quotes } from '../../shared/rfqs/quote.ts';
import { QuoteReply } from '../../shared/rfqs/replies.ts';
import { quoteView } from '../../shared/rfqs/view.ts';
import { endpoint } from '../../shared/runtime/endpoint.ts';
import { Paging } from '../../shared/runtime/paging.ts';
import { invitationOf, ownRfq } from '../../shared/runtime/rfq-access.ts';

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
    // Who has bid was invited; who has not must be, to learn that there is such an RFQ.
    if (caller.kind === 'provider' && page.docs.length === 0) {
      const invitation = await invitationOf(store, rfq_id, caller.providerId);
      if (invitation?.eligible !== true) throw notFound('RFQ');
    }
    return { quotes: page.docs.map(quoteView), next_cursor: page.nextCursor };
  },
});
