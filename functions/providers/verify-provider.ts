import { VerifyProvider } from '../../shared/providers/schema.ts';
import { verify, verifyRefs } from '../../shared/providers/verify.ts';
import { OwnedProvider } from '../../shared/providers/replies.ts';
import { ownerView } from '../../shared/providers/view.ts';
import { endpoint } from '../../shared/runtime/endpoint.ts';

export default endpoint('verify-provider', {
  summary: 'Record the result of a check; a passed identity or endpoint check activates',
  body: VerifyProvider,
  reply: OwnedProvider.omit({ subscriptions: true }),
  errors: ['invalid_transition'],
  handle: async ({ params: { provider_id = '' }, body }, { store, command }) => {
    const verifying = command({ provider_id, request: body });
    const { reply } = await store.apply(verifying, verifyRefs(verifying), verify);
    return ownerView(reply, { subscriptions: [] });
  },
});
