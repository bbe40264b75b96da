import { notFound } from '../errors.ts';
import { type ApiKey, apiKeys } from '../api-keys/schema.ts';
import { ref } from '../store/collection.ts';
import { type Command, type Decision, type Docs, set } from '../store/decision.ts';
import { type OrgKey, orgKeys } from './schema.ts';
import { type OrgKeyView, orgKeyView } from './view.ts';

export interface RevokeKeyCommand extends Command {
  readonly org_slug: string;
  readonly key_id: string;
}

export const revokeKeyRefs = ({ org_slug, key_id }: RevokeKeyCommand) => ({
  key: ref(orgKeys, org_slug, key_id),
});

/**
 * Revokes a key, from the next request on; a revoked one stays revoked. Even the last `keys:write` key
 * may go: a leaked key must always be revocable, and the operator can issue another.
 *
 * @throws {AppError} `not_found`
 */
export function revokeKey(
  { key }: Docs<ReturnType<typeof revokeKeyRefs>>,
  { at }: RevokeKeyCommand,
): Decision<OrgKeyView> {
  if (!key) throw notFound('key');
  if (key.status === 'REVOKED') return { writes: [], reply: orgKeyView(key) };
  const version = key.version + 1;
  const next: OrgKey = { ...key, status: 'REVOKED', revoked_at: at.toISOString(), version };
  const { key_id, org_slug, scopes, created_at, expires_at } = key;
  const apiKey: ApiKey = {
    key_id,
    kind: 'org',
    owner_id: org_slug,
    scopes,
    status: 'REVOKED',
    created_at,
    expires_at,
    version,
  };
  return {
    writes: [set(ref(orgKeys, org_slug, key_id), next), set(ref(apiKeys, key.key_hash), apiKey)],
    reply: orgKeyView(next),
  };
}
