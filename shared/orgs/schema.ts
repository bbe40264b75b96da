import { z } from 'zod';

import { collection } from '../store/collection.ts';
import { GivenTimestamp, Timestamp } from '../time.ts';

const Plan = z.enum(['starter', 'professional', 'scale']);

/** The tenant of what is nobody's work but ours: probes, messages that nobody could handle. */
const RESERVED = 'platform';

export const OrgSlug = z
  .string()
  .regex(/^[a-z][a-z0-9_]{2,39}$/, 'must be 3 to 40 of a-z, 0-9 and _, beginning with a letter')
  .refine((slug) => slug !== RESERVED, `must not be ${RESERVED}, which is reserved`);

export const Org = z.object({
  org_slug: z.string(),
  name: z.string(),
  plan: Plan,
  status: z.enum(['ACTIVE', 'SUSPENDED']),
  created_at: Timestamp,
  updated_at: Timestamp,
  version: z.int().positive(),
});
export type Org = z.infer<typeof Org>;

export const orgs = collection('orgs', Org);

/** What a key of an organisation may be allowed to do. */
const scopes = [
  'credentials:read',
  'credentials:write',
  'pipelines:read',
  'pipelines:execute',
  'costs:read',
  'rfqs:read',
  'rfqs:write',
  'keys:write',
  'health:read',
] as const;
const Scope = z.enum(scopes);

/** The record by which an organisation knows its key. What requests are checked against is in `api_keys`. */
export const OrgKey = z.object({
  key_id: z.string(),
  org_slug: z.string(),
  name: z.string(),
  /** The id of its document in `api_keys`. */
  key_hash: z.string(),
  scopes: z.array(Scope),
  status: z.enum(['ACTIVE', 'REVOKED']),
  created_at: Timestamp,
  expires_at: Timestamp.nullable(),
  revoked_at: Timestamp.nullable(),
  version: z.int().positive(),
});
export type OrgKey = z.infer<typeof OrgKey>;

export const orgKeys = collection('orgs/*/keys', OrgKey);

/** POST /api/v1/orgs. */
export const CreateOrg = z.strictObject({
  org_slug: OrgSlug,
  name: z.string().trim().min(1, 'must not be blank').max(120),
  plan: Plan.default('starter'),
});
export type CreateOrg = z.infer<typeof CreateOrg>;

/** POST /api/v1/orgs/{org}/keys. */
export const IssueKey = z.strictObject({
  name: z.string().trim().min(1, 'must not be blank').max(120),
  scopes: z.array(Scope).min(1).max(scopes.length),
  expires_at: GivenTimestamp.nullish(),
});
export type IssueKey = z.infer<typeof IssueKey>;
