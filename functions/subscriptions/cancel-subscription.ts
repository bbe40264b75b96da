import { notFound } from '../../shared/errors.ts';
import { endpoint } from '../../shared/runtime/endpoint.ts';
import { ref } from '../../shared/store/collection.ts';
import { endSubscription, endSubscriptionRefs } from '../../shared/subscriptions/end.ts';
import { SubscriptionReply } from '../../shared/subscriptions/replies.ts';
import { subscriptions } from '../../shared/subscriptions/schema.ts';

export default endpoint('cancel-subscription', {
  summary: 'Cancel a subscription; nothing matches it from now on. Safe to repeat',
  reply: SubscriptionReply,
  handle: async ({ params: { subscription_id = '' } }, { store, caller, command }) => {
    // The operator names no provider: whose it is stands in the subscription.
    const providerId =
      caller.kind === 'provider'
        ? caller.providerId
        : (await store.get(ref(subscriptions, subscription_id)))?.provider_id;
    if (providerId === undefined) throw notFound('subscription');
    const ending = command({ subscription_id, provider_id: providerId, as: 'CANCELLED' as const });
    const { reply } = await store.apply(ending, endSubscriptionRefs(ending), endSubscription);
    return reply;
  },
});
