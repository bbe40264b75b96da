import { Org, OrgKey } from './schema.ts';

/** An organisation, as it is answered. */
export const OrgReply = Org.omit({ updated_at: true, version: true });

/** A key without its hash. */
export const OrgKeyReply = OrgKey.omit({ org_slug: true, key_hash: true, version: true });
