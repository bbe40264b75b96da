import { z } from 'zod';

import { notFound } from '../../shared/errors.ts';
import { awardRefs, awardRfq } from '../../shared/rfqs/award.ts';
import { quotes } from '../../shared/rfqs/quote.ts';
import { AwardRfq, Rfq } from '../../shared/rfqs/schema.ts';
import { endpoint } from '../../shared/runtime/endpoint.ts';
import { ownRfq } from '../../shared/runtime/rfq-access.ts';
import { eligibilityPolicy, providerRegistry } from '../../shared/runtime/settings.ts';

export default endpoint('award-rfq', {
  summary: 'Award an RFQ to one of its quotes, whose provider must still be eligible',
  body: AwardRfq,
  reply: z.object({
    rfq_id: z.string(),
    status: z.literal('AWARDED'),
    contracts: Rfq.shape.award.unwrap().shape.contracts,
  }),
  errors: ['rfq_closed', 'not_eligible', 'conflict'],
  handle: async ({ params: { rfq_id = '' }, body: { quote_id } }, { caller, store, command }) => {
    await ownRfq(store, caller, rfq_id);
    // The live quotes only: one that was replaced since the buyer saw it is not found by its id.
    const {
      docs: [quote],
    } = await store.query({
      collection: quotes,
      parents: [rfq_id],
      where: [{ field: 'quote_id', op: '==', value: quote_id }],
      limit: 1,
    });
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
