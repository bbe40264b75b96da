import { changeStatus, changeStatusRefs } from '../../shared/providers/change-status.ts';
import { OwnedProvider } from '../../shared/providers/replies.ts';
import { ownerView } from '../../shared/providers/view.ts';
import { endpoint } from '../../shared/runtime/endpoint.ts';
import { issuedKeys } from '../../shared/runtime/provider-keys.ts';

export default endpoint('archive-provider', {
  summary: 'Archive a provider for good: nothing matches it and its keys stop working',
  description:
    'Its name stays taken and its record stays readable. Safe for the operator to repeat; the keys of the provider itself answer 401 from then on.',
  reply: OwnedProvider.omit({ subscriptions: true }),
  handle: async ({ params: { provider_id = '' } }, context) => {
    const archiving = context.command({
      provider_id,
      status: 'INACTIVE' as const,
      reason: null,
      issued: await issuedKeys(context, provider_id),
    });
    const { reply } = await context.store.apply(
      archiving,
      changeStatusRefs(archiving),
      changeStatus,
    );
    return ownerView(reply, { subscriptions: [] });
  },
});
