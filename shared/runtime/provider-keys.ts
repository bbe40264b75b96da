import { apiKeys, apiSecrets } from '../api-keys/schema.ts';
import type { IssuedKeys } from '../providers/issued-keys.ts';
import type { Services } from './services.ts';

/** Of each kind; their revocations fit into one commit. */
const KEYS_MAX = 200;

/** The keys and secrets of a provider that still work. */
export async function issuedKeys(
  { store }: Pick<Services, 'store'>,
  providerId: string,
): Promise<IssuedKeys> {
  const isActive = { field: 'status', op: '==', value: 'ACTIVE' } as const;
  const [keys, secrets] = await Promise.all([
    store.query({
      collection: apiKeys,
      where: [
        { field: 'kind', op: '==', value: 'provider' },
        { field: 'owner_id', op: '==', value: providerId },
        isActive,
      ],
      limit: KEYS_MAX,
    }),
    store.query({
      collection: apiSecrets,
      where: [{ field: 'provider_id', op: '==', value: providerId }, isActive],
      limit: KEYS_MAX,
    }),
  ]);
  return {
    keys: keys.docs.map((key, i) => ({ hash: keys.ids[i] ?? '', key })),
    secrets: secrets.docs.map((secret, i) => ({ hash: secrets.ids[i] ?? '', secret })),
  };
}
