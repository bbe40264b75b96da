import { changeStatus, changeStatusRefs } from '../../shared/providers/change-status.ts';
import { OwnedProvider } from '../../shared/providers/replies.ts';
import { ChangeProviderStatus } from '../../shared/providers/schema.ts';
import { ownerView } from '../../shared/providers/view.ts';
import { endpoint } from '../../shared/runtime/endpoint.ts';
import { issuedKeys } from '../../shared/runtime/provider-keys.ts';

const none = { keys: [], secrets: [] };

export default endpoint('change-provider-status', {
  summary: 'Activate, suspend or archive a provider, or have it verified again',
  description:
    'PENDING_VERIFICATION leads to ACTIVE, SUSPENDED or INACTIVE; ACTIVE to SUSPENDED or INACTIVE; SUSPENDED to each of the others. INACTIVE is final: the provider is archived and its keys stop working. The status that it has already changes nothing.',
  body: ChangeProviderStatus,
  reply: OwnedProvider.omit({ subscriptions: true }),
  errors: ['invalid_transition'],
  handle: async ({ params: { provider_id = '' }, body: { status, reason } }, context) => {
    const issued = status === 'INACTIVE' ? await issuedKeys(context, provider_id) : none;
    const changing = context.command({ provider_id, status, reason, issued });
    const { reply } = await context.store.apply(changing, changeStatusRefs(changing), changeStatus);
    return ownerView(reply, { subscriptions: [] });
  },
});
