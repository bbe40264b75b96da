import { AppError, notFound } from '../errors.ts';
import { invalidField } from '../invalid-field.ts';
import { apiKeys } from '../api-keys/schema.ts';
import { ref } from '../store/collection.ts';
import { type Command, type Decision, type Docs, create } from '../store/decision.ts';
import { type IssueKey, type OrgKey, orgKeys, orgs } from './schema.ts';
import { type OrgKeyView, orgKeyView } from './view.ts';

export interface IssueKeyCommand extends Command {
  readonly org_slug: string;
  readonly request: IssueKey;
  readonly key_id: string;
  /** `keyHash` of the new key; the key itself never enters a rule. */
  readonly key_hash: string;
  /** What the caller's own key may do; null for the operator. */
  readonly granter_scopes: readonly string[] | null;
}

export const issueKeyRefs = ({ org_slug }: Pick<IssueKeyCommand, 'org_slug'>) => ({
  org: ref(orgs, org_slug),
});

/**
 * Issues a key to an organisation. Nobody gives away what they have not got.
 *
 * @throws {AppError} `not_found`; `conflict` for a suspended organisation; `forbidden` for a scope that
 *   the caller lacks; `invalid_request` for an expiry that is not ahead
 */
export function issueKey(
  { org }: Docs<ReturnType<typeof issueKeyRefs>>,
  command: IssueKeyCommand,
): Decision<OrgKeyView> {
  if (!org) throw notFound('organisation');
  if (org.status !== 'ACTIVE')
    throw new AppError('conflict', 'The organisation is suspended; ask the operator to lift that.');
  const { request, granter_scopes } = command;
  const lacking = request.scopes.filter((scope) => granter_scopes?.includes(scope) === false);
  if (lacking.length > 0)
    throw new AppError(
      'forbidden',
      `A key can only give scopes that it has; this one lacks ${lacking.join(', ')}.`,
      { details: { lacking_scopes: lacking } },
    );
  const created_at = command.at.toISOString();
  const expires_at = request.expires_at ?? null;
  if (expires_at !== null && expires_at <= created_at)
    throw invalidField('body.expires_at', 'must be in the future');
  const { org_slug, key_id, key_hash } = command;
  const scopes = [...new Set(request.scopes)];
  const key: OrgKey = {
    key_id,
    org_slug,
    name: request.name,
    key_hash,
    scopes,
    status: 'ACTIVE',
    created_at,
    expires_at,
    revoked_at: null,
    version: 1,
  };
  return {
    writes: [
      create(ref(orgKeys, org_slug, key_id), key),
      create(ref(apiKeys, key_hash), {
        key_id,
        kind: 'org',
        owner_id: org_slug,
        scopes,
        status: 'ACTIVE',
        created_at,
        expires_at,
        version: 1,
      }),
    ],
    reply: orgKeyView(key),
  };
}
