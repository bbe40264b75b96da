import type { CompactSubscription } from '../matching/schema.ts';
import type { Subscription } from './schema.ts';

/** The part of a subscription that its provider's match document holds. */
export const compact = (
  subscription: Subscription,
  bidWebhook: string | null,
): CompactSubscription => ({
  subscription_id: subscription.subscription_id,
  categories: subscription.categories,
  filters: subscription.filters,
  cpa_preferences: subscription.cpa_preferences,
  delivery_method: subscription.delivery.method,
  webhook_url:
    subscription.delivery.method === 'webhook'
      ? (subscription.delivery.webhook_url ?? bidWebhook)
      : null,
  created_at: subscription.created_at,
});
