import { z } from 'zod';

import { notFound } from '../../shared/errors.ts';
import { providers } from '../../shared/providers/schema.ts';
import { OwnedProvider, PublicProvider } from '../../shared/providers/replies.ts';
import { ownerView, publicView } from '../../shared/providers/view.ts';
import { endpoint } from '../../shared/runtime/endpoint.ts';
import { ref } from '../../shared/store/collection.ts';
import { subscriptions } from '../../shared/subscriptions/schema.ts';
import { publicSubscriptionView, subscriptionView } from '../../shared/subscriptions/view.ts';

/** Subscriptions shown with a provider; the rest is in GET /v1/subscriptions. */
const SHOWN = 100;

export default endpoint('get-provider', {
  summary: 'Show a provider; its owner and the operator see all of it',
  reply: z.union([OwnedProvider, PublicProvider]),
  handle: async ({ params: { provider_id = '' } }, { store, caller }) => {
    const [provider, page] = await Promise.all([
      store.get(ref(providers, provider_id)),
      store.query({
        collection: subscriptions,
        where: [
          { field: 'provider_id', op: '==', value: provider_id },
          { field: 'status', op: '==', value: 'ACTIVE' },
        ],
        limit: SHOWN,
      }),
    ]);
    if (!provider) throw notFound('provider');
    const own = caller.kind === 'provider' && caller.providerId === provider_id;
    return own || caller.kind === 'operator'
      ? ownerView(provider, { subscriptions: page.docs.map(subscriptionView) })
      : publicView(provider, { subscriptions: page.docs.map(publicSubscriptionView) });
  },
});
