import { z } from 'zod';

import { keyHash, newId, newKey } from '../../shared/ids.ts';
import { issueKey, issueKeyRefs } from '../../shared/orgs/issue-key.ts';
import { OrgKeyReply } from '../../shared/orgs/replies.ts';
import { IssueKey } from '../../shared/orgs/schema.ts';
import { endpoint } from '../../shared/runtime/endpoint.ts';
import { withheldNotice } from '../../shared/runtime/idempotency.ts';

export default endpoint('issue-org-key', {
  summary: 'Issue a scoped key to an organisation; it is shown once',
  body: IssueKey,
  reply: OrgKeyReply.extend({
    api_key: z.string().optional(),
    withheld: z.array(z.string()).optional(),
    notice: z.string().optional(),
  }),
  status: 201,
  secrets: ['api_key'],
  errors: ['conflict'],
  handle: async ({ params: { org = '' }, body }, { store, command, caller, randomBytes }) => {
    const apiKey = newKey('org_key', randomBytes(32));
    const issuing = command({
      org_slug: org,
      request: body,
      key_id: newId('key', randomBytes(8)),
      key_hash: keyHash(apiKey),
      granter_scopes: caller.kind === 'org' ? caller.scopes : null,
    });
    const { reply, replayed } = await store.apply(issuing, issueKeyRefs(issuing), issueKey);
    return { ...reply, ...(replayed ? withheldNotice(['api_key']) : { api_key: apiKey }) };
  },
});
