import { type ApiKey, type ApiSecret, apiKeys, apiSecrets } from '../api-keys/schema.ts';
import { ref } from '../store/collection.ts';
import { type Write, set } from '../store/decision.ts';

/** The ACTIVE keys and secrets of a provider, each with the hash that is its document id. */
export interface IssuedKeys {
  readonly keys: readonly { readonly hash: string; readonly key: ApiKey }[];
  readonly secrets: readonly { readonly hash: string; readonly secret: ApiSecret }[];
}

/** Ends all of them. Only revoking ever changes a key, so none needs to be read again for that. */
export const revocations = ({ keys, secrets }: IssuedKeys): Write[] => [
  ...keys.map(({ hash, key }) =>
    set(ref(apiKeys, hash), { ...key, status: 'REVOKED' as const, version: key.version + 1 }),
  ),
  ...secrets.map(({ hash, secret }) =>
    set(ref(apiSecrets, hash), {
      ...secret,
      status: 'REVOKED' as const,
      version: secret.version + 1,
    }),
  ),
];
