import { z } from 'zod';

import { GivenId } from '../../shared/ids.ts';
import { SubmitQuote } from '../../shared/rfqs/quote.ts';
import { QuoteReply } from '../../shared/rfqs/replies.ts';
import { submitQuote, submitQuoteRefs } from '../../shared/rfqs/submit-quote.ts';
import { quoteView } from '../../shared/rfqs/view.ts';
import { endpoint } from '../../shared/runtime/endpoint.ts';
import { invitationOf } from '../../shared/runtime/rfq-access.ts';
import { invalid } from '../../shared/runtime/validate.ts';

/** The bidder is the key's provider; the operator, who is none, says for whom. */
const Body = z.intersection(SubmitQuote, z.object({ provider_id: GivenId.optional() }));

export default endpoint('submit-quote', {
  summary: 'Submit a quote, or replace an earlier one, until the bid deadline',
  body: Body,
  reply: QuoteReply,
  status: 201,
  errors: ['rfq_closed', 'currency_mismatch', 'price_above_budget'],
  handle: async (
    { params: { rfq_id = '' }, body: { provider_id: given, ...request } },
    { caller, store, command },
  ) => {
    const providerId = caller.kind === 'provider' ? caller.providerId : given;
    if (providerId === undefined)
      throw invalid([{ field: 'body.provider_id', reason: 'is needed from the operator' }]);
    if (given !== undefined && given !== providerId)
      throw invalid([{ field: 'body.provider_id', reason: "is not this key's; leave it out" }]);
    const submitting = command({
      rfq_id,
      provider_id: providerId,
      request,
      invitation: await invitationOf(store, rfq_id, providerId),
    });
    const { reply } = await store.apply(submitting, submitQuoteRefs(submitting), submitQuote);
    return quoteView(reply);
  },
});
