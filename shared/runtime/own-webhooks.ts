import { subscriptions } from '../subscriptions/schema.ts';
import type { Services } from './services.ts';

/** A provider has no more active subscriptions. */
const SUBSCRIPTIONS_MAX = 100;

/** The webhook of its own, or null, by the id of each active subscription of a provider. */
export async function ownWebhooks(
  { store }: Pick<Services, 'store'>,
  providerId: string,
): Promise<ReadonlyMap<string, string | null>> {
  const { docs } = await store.query({
    collection: subscriptions,
    where: [
      { field: 'provider_id', op: '==', value: providerId },
      { field: 'status', op: '==', value: 'ACTIVE' },
    ],
    limit: SUBSCRIPTIONS_MAX,
  });
  return new Map(
    docs.map(({ subscription_id, delivery }) => [subscription_id, delivery.webhook_url]),
  );
}
