import { createOrg, createOrgRefs } from '../../shared/orgs/create.ts';
import { OrgReply } from '../../shared/orgs/replies.ts';
import { CreateOrg } from '../../shared/orgs/schema.ts';
import { endpoint } from '../../shared/runtime/endpoint.ts';

export default endpoint('create-org', {
  summary: 'Create an organisation',
  body: CreateOrg,
  reply: OrgReply,
  status: 201,
  errors: ['name_taken'],
  handle: async ({ body }, { store, command }) => {
    const creating = command({ request: body });
    return (await store.apply(creating, createOrgRefs(creating), createOrg)).reply;
  },
});
