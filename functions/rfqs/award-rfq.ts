import { z } from 'zod';

import { notFound } from '../../shared/errors.ts';
import { awardRefs, awardRfq } from '../../shared/rfqs/award.ts';
import { quotes } from '../../shared/rfqs/quote.ts';
import { AwardRfq, Rfq } from '../../shared/rfqs/schema.ts';
import { endpoint } from '../../shared/runtime/endpoint.ts';
import { ownRfq } from '../../shared/runtime/rfq-access.ts';
import { eligibilityPolicy, providerRegistry } from '../../shared/runtime/settings.ts';
import { ref } from '../../shared/store/collection.ts';

export default endpoint('award-rfq', {
  summary: 'Award an RFQ to one of its quotes, whose provider must still be eligible',
  body: AwardRfq,
  reply: z.object({
    rfq_id: z.string(),
    status: z.literal('AWARDED'),
    contracts: Rfq.shape.award.unwrap().shape.contracts,
  }),
  errors: ['rfq_closed', 'not_eligible'],
  handle: async ({ params: { rfq_id = '' }, body: { quote_id } }, { caller, store, command }) => {
    await ownRfq(store, caller, rfq_id);
    const quote = await store.get(ref(quotes, rfq_id, quote_id));
    if (!quote) throw notFound('quote');
    const awarding = command({
      rfq_id,
      quote_id,
      provider_id: quote.provider_id,
      org_slug: caller.kind === 'org' ? caller.orgSlug : null,
      ...eligibilityPolicy(),
      registry: providerRegistry(),
    });
    return (await store.apply(awarding, awardRefs(awarding), awardRfq)).reply;
  },
});
