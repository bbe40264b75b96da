import { OrgKeyReply } from '../../shared/orgs/replies.ts';
import { revokeKey, revokeKeyRefs } from '../../shared/orgs/revoke-key.ts';
import { endpoint } from '../../shared/runtime/endpoint.ts';

export default endpoint('revoke-org-key', {
  summary: 'Revoke a key, from the next request on. Safe to repeat',
  reply: OrgKeyReply,
  handle: async ({ params: { org = '', key_id = '' } }, { store, command }) => {
    const revoking = command({ org_slug: org, key_id });
    return (await store.apply(revoking, revokeKeyRefs(revoking), revokeKey)).reply;
  },
});
