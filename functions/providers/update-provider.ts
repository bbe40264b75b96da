import { EndpointProbe } from '../../shared/providers/endpoint-probe.ts';
import { OwnedProvider } from '../../shared/providers/replies.ts';
import { UpdateProvider } from '../../shared/providers/schema.ts';
import { update, updateRefs } from '../../shared/providers/update.ts';
import { ownerView } from '../../shared/providers/view.ts';
import { requireAccessible } from '../../shared/runtime/accessible.ts';
import { endpoint } from '../../shared/runtime/endpoint.ts';
import { ownWebhooks } from '../../shared/runtime/own-webhooks.ts';

export default endpoint('update-provider', {
  summary: 'Change what a provider says about itself; what is absent stays',
  description:
    "A new endpoint is probed, a new name must be free. null or '' takes away bid_webhook or contact_email; lists and metadata are replaced whole. With `version` the update is refused if the provider has changed since that was read. Safe to repeat.",
  body: UpdateProvider,
  reply: OwnedProvider.omit({ subscriptions: true }),
  errors: ['endpoint_not_accessible', 'name_taken', 'conflict', 'rate_limited'],
  handle: async ({ params: { provider_id = '' }, body }, context) => {
    const { config, store } = context;
    const updating = context.command({
      provider_id,
      request: body,
      own_webhooks:
        body.bid_webhook === undefined ? new Map() : await ownWebhooks(context, provider_id),
      allow_insecure_endpoints: config.allow_insecure_endpoints,
    });
    if (body.endpoint !== undefined) {
      const docs = await store.getAll(updateRefs(updating));
      // What would be refused anyway is refused before anybody's host is called for it.
      update(docs, updating);
      if (docs.provider?.endpoint !== body.endpoint)
        await requireAccessible(context, new EndpointProbe(provider_id, context), body.endpoint);
    }
    const { reply } = await store.apply(updating, updateRefs(updating), update);
    return ownerView(reply, { subscriptions: [] });
  },
});
