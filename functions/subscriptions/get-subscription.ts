import { notFound } from '../../shared/errors.ts';
import { endpoint } from '../../shared/runtime/endpoint.ts';
import { ref } from '../../shared/store/collection.ts';
import { SubscriptionReply } from '../../shared/subscriptions/replies.ts';
import { subscriptions } from '../../shared/subscriptions/schema.ts';
import { subscriptionView } from '../../shared/subscriptions/view.ts';

export default endpoint('get-subscription', {
  summary: 'Show a subscription, without its secret',
  reply: SubscriptionReply,
  handle: async ({ params: { subscription_id = '' } }, { store, caller }) => {
    const found = await store.get(ref(subscriptions, subscription_id));
    if (!found || (caller.kind === 'provider' && caller.providerId !== found.provider_id))
      throw notFound('subscription');
    return subscriptionView(found);
  },
});
