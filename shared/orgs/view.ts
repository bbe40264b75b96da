import type { Org, OrgKey } from './schema.ts';

export type OrgView = ReturnType<typeof orgView>;

export const orgView = ({ org_slug, name, plan, status, created_at }: Org) => ({
  org_slug,
  name,
  plan,
  status,
  created_at,
});

export type OrgKeyView = ReturnType<typeof orgKeyView>;

/** A key without its hash; the key itself is nowhere. */
export const orgKeyView = ({
  key_id,
  name,
  scopes,
  status,
  created_at,
  expires_at,
  revoked_at,
}: OrgKey) => ({ key_id, name, scopes, status, created_at, expires_at, revoked_at });
