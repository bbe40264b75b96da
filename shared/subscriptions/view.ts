import { decimalToNumber } from '../money/decimal.ts';
import type { Subscription } from './schema.ts';

/** The answer to POST /v1/subscriptions. */
export type SubscriptionCreated = ReturnType<typeof createdView>;

export const createdView = ({
  subscription_id,
  provider_id,
  categories,
  cpa_filter_active,
  status,
  created_at,
}: Subscription) => ({
  subscription_id,
  provider_id,
  categories,
  cpa_filter_active,
  status,
  created_at,
});

/** What its owner and the operator see. Secrets are never shown again. */
export type SubscriptionView = ReturnType<typeof subscriptionView>;

export const subscriptionView = (subscription: Subscription) => ({
  ...createdView(subscription),
  ...conditions(subscription),
  delivery: subscription.delivery,
  updated_at: subscription.updated_at,
});

/** What everybody sees: what work the provider takes, but not where it is told of it. */
export const publicSubscriptionView = (subscription: Subscription) => ({
  subscription_id: subscription.subscription_id,
  categories: subscription.categories,
  ...conditions(subscription),
  status: subscription.status,
});

const numberOrNull = (amount: string | null): number | null =>
  amount === null ? null : decimalToNumber(amount);

const conditions = ({ filters, cpa_preferences }: Subscription) => ({
  filters: { ...filters, min_budget: numberOrNull(filters.min_budget) },
  cpa_preferences: {
    ...cpa_preferences,
    min_bonus_opportunity: numberOrNull(cpa_preferences.min_bonus_opportunity),
  },
});
