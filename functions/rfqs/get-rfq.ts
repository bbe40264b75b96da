import { z } from 'zod';

import { notFound } from '../../shared/errors.ts';
import { deliveries } from '../../shared/rfqs/delivery.ts';
import { quotesUrl } from '../../shared/rfqs/invitation.ts';
import { InvitedRfqReply, RfqReply } from '../../shared/rfqs/replies.ts';
import { cpaTermsView, criteriaView, rfqView } from '../../shared/rfqs/view.ts';
import { endpoint } from '../../shared/runtime/endpoint.ts';
import { invitationOf, ownRfq } from '../../shared/runtime/rfq-access.ts';

export default endpoint('get-rfq', {
  summary: 'Show an RFQ: to its buyer with counts and award, to an invited provider with its terms',
  reply: z.union([RfqReply, InvitedRfqReply]),
  handle: async ({ params: { rfq_id = '' } }, { store, caller, config }) => {
    const rfq = await ownRfq(store, caller, rfq_id);
    if (caller.kind === 'provider') {
      const invitation = await invitationOf(store, rfq_id, caller.providerId);
      if (invitation?.eligible !== true) throw notFound('RFQ');
      return {
        ...rfq,
        success_criteria: criteriaView(rfq),
        cpa_terms: cpaTermsView(rfq),
        quotes_url: quotesUrl(config.public_url, rfq_id),
      };
    }
    const ended = (state: 'delivered' | 'failed') =>
      store.count({
        collection: deliveries,
        parents: [rfq_id],
        where: [{ field: 'progress.state', op: '==', value: state }],
      });
    const [delivered, failed] = await Promise.all([ended('delivered'), ended('failed')]);
    return rfqView(rfq, { delivered, failed });
  },
});
