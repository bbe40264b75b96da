import { describe, expect, it } from 'vitest';

import { createOrg } from '../../../shared/orgs/create.ts';
import { type IssueKeyCommand, issueKey } from '../../../shared/orgs/issue-key.ts';
import { revokeKey } from '../../../shared/orgs/revoke-key.ts';
import { CreateOrg, IssueKey, type Org, orgKeys, orgs } from '../../../shared/orgs/schema.ts';
import { apiKeys } from '../../../shared/api-keys/schema.ts';
import { ref } from '../../../shared/store/collection.ts';
import { command, docAt, errorOf, later } from '../examples.ts';

const acme: Org = {
  org_slug: 'acme',
  name: 'Acme Corp',
  plan: 'starter',
  status: 'ACTIVE',
  created_at: '2026-01-01T00:00:00.000Z',
  updated_at: '2026-01-01T00:00:00.000Z',
  version: 1,
};

describe('creating an organisation', () => {
  const request = { org_slug: 'acme', name: 'Acme Corp', plan: 'scale' } as const;

  it('answers as designed', () => {
    const decision = createOrg({ org: null }, { ...command(), request });
    expect(decision.reply).toEqual({
      ...request,
      status: 'ACTIVE',
      created_at: '2026-03-01T12:00:00.000Z',
    });
    expect(docAt(decision, ref(orgs, 'acme'))).toMatchObject({ ...request, version: 1 });
  });

  it('fails when the slug is in use', () => {
    expect(errorOf(() => createOrg({ org: acme }, { ...command(), request }))).toMatchObject({
      code: 'name_taken',
    });
  });

  it.each(['ab', '1st', 'Acme', 'a-b', 'a'.repeat(41), 'a/b'])(
    'refuses the slug %s',
    (org_slug) => {
      expect(CreateOrg.safeParse({ ...request, org_slug }).success).toBe(false);
    },
  );

  it('refuses a field that we do not know', () => {
    expect(CreateOrg.safeParse({ ...request, color: 'red' }).success).toBe(false);
  });
});

const issuing = (
  request: Record<string, unknown> = {},
  changes: Partial<IssueKeyCommand> = {},
): IssueKeyCommand => ({
  ...command(),
  org_slug: 'acme',
  request: IssueKey.parse({ name: 'ci', scopes: ['rfqs:read', 'rfqs:write'], ...request }),
  key_id: 'key_1',
  key_hash: 'hash-of-the-key',
  granter_scopes: null,
  ...changes,
});

describe('issuing a key', () => {
  it('lists it for the organisation, and lets requests find it by its hash', () => {
    const decision = issueKey({ org: acme }, issuing({ expires_at: '2026-04-01T00:00:00Z' }));
    expect(docAt(decision, ref(orgKeys, 'acme', 'key_1'))).toMatchObject({
      key_hash: 'hash-of-the-key',
    });
    expect(docAt(decision, ref(apiKeys, 'hash-of-the-key'))).toMatchObject({
      kind: 'org',
      owner_id: 'acme',
      scopes: ['rfqs:read', 'rfqs:write'],
      expires_at: '2026-04-01T00:00:00.000Z',
    });
    expect(JSON.stringify(decision.reply)).not.toContain('hash');
  });

  it('gives away only scopes that the giver has', () => {
    const giver = { granter_scopes: ['keys:write', 'rfqs:read'] };
    expect(errorOf(() => issueKey({ org: acme }, issuing({}, giver)))).toMatchObject({
      code: 'forbidden',
      details: { lacking_scopes: ['rfqs:write'] },
    });
    const modest = issuing({ scopes: ['rfqs:read'] }, giver);
    expect(issueKey({ org: acme }, modest).reply.scopes).toEqual(['rfqs:read']);
  });

  it('fails for an unknown or suspended organisation, and for an expiry that is not ahead', () => {
    expect(errorOf(() => issueKey({ org: null }, issuing()))).toMatchObject({ code: 'not_found' });
    const suspended = { ...acme, status: 'SUSPENDED' as const };
    expect(errorOf(() => issueKey({ org: suspended }, issuing()))).toMatchObject({
      code: 'conflict',
    });
    const past = issuing({ expires_at: '2026-03-01T12:00:00Z' });
    expect(errorOf(() => issueKey({ org: acme }, past))).toMatchObject({ code: 'invalid_request' });
  });

  it.each([{ scopes: [] }, { scopes: ['everything'] }, { name: '' }, { extra: 1 }])(
    'refuses %o',
    (changes) => {
      expect(IssueKey.safeParse({ name: 'ci', scopes: ['rfqs:read'], ...changes }).success).toBe(
        false,
      );
    },
  );
});

describe('revoking a key', () => {
  const key = docAt(issueKey({ org: acme }, issuing()), ref(orgKeys, 'acme', 'key_1'));
  const revoking = { ...command(), at: later(60), org_slug: 'acme', key_id: 'key_1' };

  it('counts from the same commit on, in the list and for requests', () => {
    const decision = revokeKey({ key }, revoking);
    expect(decision.reply).toMatchObject({
      status: 'REVOKED',
      revoked_at: '2026-03-01T12:01:00.000Z',
    });
    expect(docAt(decision, ref(apiKeys, 'hash-of-the-key'))).toMatchObject({ status: 'REVOKED' });
  });

  it('again changes nothing', () => {
    const revoked = docAt(revokeKey({ key }, revoking), ref(orgKeys, 'acme', 'key_1'));
    expect(revokeKey({ key: revoked }, revoking).writes).toEqual([]);
  });

  it('that is not there is not found', () => {
    expect(errorOf(() => revokeKey({ key: null }, revoking))).toMatchObject({ code: 'not_found' });
  });
});
