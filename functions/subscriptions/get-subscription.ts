import { notFound } from '../../shared/errors.ts';
import { GivenId } from '../../shared/ids.ts';
import { endpoint } from '../../shared/runtime/endpoint.ts';
import { ref } from '../../shared/store/collection.ts';
import { SubscriptionReply } from '../../shared/subscriptions/replies.ts';
import { subscriptions } from '../../shared/subscriptions/schema.ts';
import { subscriptionView } from '../../shared/subscriptions/view.ts';

export default endpoint('get-subscription', {
  summary: 'Show a subscription, without its secret',
  reply: SubscriptionReply,
  handle: async ({ params: { subscription_id = '' } }, { store, caller }) => {
    const found = GivenId.safeParse(subscription_id).success
      ? await store.get(ref(subscriptions, subscription_id))
      : null;
    if (!found || (caller.kind === 'provider' && caller.providerId !== found.provider_id))
      throw notFound('subscription');
    return subscriptionView(found);
  },
});
