import { invalid } from '../../shared/runtime/validate.ts';
import { SubmitQuote } from '../../shared/rfqs/quote.ts';
import { QuoteReply } from '../../shared/rfqs/replies.ts';
import { submitQuote, submitQuoteRefs } from '../../shared/rfqs/submit-quote.ts';
import { quoteView } from '../../shared/rfqs/view.ts';
import { endpoint } from '../../shared/runtime/endpoint.ts';
import { invitationOf } from '../../shared/runtime/rfq-access.ts';

export default endpoint('submit-quote', {
  summary: 'Submit a quote, or replace an earlier one, until the bid deadline',
  body: SubmitQuote,
  reply: QuoteReply,
  status: 201,
  errors: ['rfq_closed', 'currency_mismatch', 'price_above_budget'],
  handle: async ({ params: { rfq_id = '' }, body }, { caller, store, command }) => {
    if (caller.kind !== 'provider')
      throw invalid([
        { field: 'header.authorization', reason: "must be the bidding provider's key" },
      ]);
    const submitting = command({
      rfq_id,
      provider_id: caller.providerId,
      request: body,
      invitation: await invitationOf(store, rfq_id, caller.providerId),
    });
    const { reply } = await store.apply(submitting, submitQuoteRefs(submitting), submitQuote);
    return quoteView(reply);
  },
});
