import { z } from 'zod';

import { collection } from '../store/collection.ts';
import { Timestamp } from '../time.ts';

/** Found by the SHA-256 of the key, which is the document id; the key itself is nowhere. */
export const ApiKey = z.object({
  key_id: z.string(),
  kind: z.enum(['provider', 'org']),
  /** A provider_id or an org_slug, by `kind`. */
  owner_id: z.string(),
  /** Empty for a provider, whose key reaches all that is its own. */
  scopes: z.array(z.string()),
  status: z.enum(['ACTIVE', 'REVOKED']),
  created_at: Timestamp,
  expires_at: Timestamp.nullable(),
  version: z.int().positive(),
});
export type ApiKey = z.infer<typeof ApiKey>;

export const apiKeys = collection('api_keys', ApiKey);

/**
 * The second secret of a provider, which only rotates keys. In a collection of its own, so that it can
 * never be mistaken for a key.
 */
const ApiSecret = z.object({
  key_id: z.string(),
  provider_id: z.string(),
  status: z.enum(['ACTIVE', 'REVOKED']),
  created_at: Timestamp,
  version: z.int().positive(),
});
export type ApiSecret = z.infer<typeof ApiSecret>;

export const apiSecrets = collection('api_secrets', ApiSecret);
