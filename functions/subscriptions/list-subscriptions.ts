import { z } from 'zod';

import { notFound } from '../../shared/errors.ts';
import { GivenId } from '../../shared/ids.ts';
import { endpoint } from '../../shared/runtime/endpoint.ts';
import { Paging } from '../../shared/runtime/paging.ts';
import { SubscriptionReply } from '../../shared/subscriptions/replies.ts';
import { subscriptions } from '../../shared/subscriptions/schema.ts';
import { subscriptionView } from '../../shared/subscriptions/view.ts';

export default endpoint('list-subscriptions', {
  summary: "List a provider's subscriptions; the operator may list everybody's",
  query: Paging.extend({ provider_id: GivenId.optional() }),
  reply: z.object({
    subscriptions: z.array(SubscriptionReply),
    /** All that match, not only this page. */
    total: z.int(),
    next_cursor: z.string().nullable(),
  }),
  errors: ['not_found'],
  handle: async ({ query: { provider_id, limit, cursor } }, { store, caller }) => {
    const own = caller.kind === 'provider' ? caller.providerId : undefined;
    if (own !== undefined && provider_id !== undefined && own !== provider_id)
      throw notFound('provider');
    const owner = own ?? provider_id;
    const query = {
      collection: subscriptions,
      where: owner === undefined ? [] : [{ field: 'provider_id', op: '==' as const, value: owner }],
    };
    const [page, total] = await Promise.all([
      store.query({ ...query, limit, cursor }),
      store.count(query),
    ]);
    return {
      subscriptions: page.docs.map(subscriptionView),
      total,
      next_cursor: page.nextCursor,
    };
  },
});
