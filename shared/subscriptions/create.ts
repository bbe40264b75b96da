import { AppError, notFound } from '../errors.ts';
import { invalidField } from '../invalid-field.ts';
import { withSubscription } from '../matching/compose.ts';
import { matches } from '../matching/schema.ts';
import type { ProviderRegistry } from '../providers/config.ts';
import { providers } from '../providers/schema.ts';
import { requireHttps } from '../providers/url.ts';
import { ref } from '../store/collection.ts';
import { type Command, type Decision, type Docs, create, set } from '../store/decision.ts';
import { compact } from './compact.ts';
import { type CreateSubscription, type Subscription, subscriptions } from './schema.ts';
import { type SubscriptionCreated, createdView } from './view.ts';

export interface CreateSubscriptionCommand extends Command {
  readonly request: CreateSubscription;
  readonly subscription_id: string;
  /** The webhook secret, encrypted by the caller; the secret itself never enters a rule. */
  readonly secret_ciphertext: string;
  readonly registry: ProviderRegistry;
  readonly allow_insecure_endpoints: boolean;
}

export const createSubscriptionRefs = ({
  request: { provider_id },
}: Pick<CreateSubscriptionCommand, 'request'>) => ({
  provider: ref(providers, provider_id),
  match: ref(matches, provider_id),
});

/**
 * Subscribes a provider to categories of work; it is matched from the same commit on. Whether the
 * caller may act for the provider is the handler's matter.
 *
 * @throws {AppError} `not_found`; `conflict` for an archived provider, or too many or too long subscriptions;
 *   `invalid_request` for too many or too costly patterns, plain http, or no address to deliver to
 */
export function createSubscription(
  { provider, match }: Docs<ReturnType<typeof createSubscriptionRefs>>,
  command: CreateSubscriptionCommand,
): Decision<SubscriptionCreated> {
  if (!provider || !match) throw notFound('provider');
  if (provider.status === 'INACTIVE')
    throw new AppError('conflict', 'The provider is archived; register it anew to subscribe.');
  const subscription = newSubscription(command);
  const { delivery } = subscription;
  requireHttps('body.delivery.webhook_url', delivery.webhook_url ?? undefined, {
    allowInsecure: command.allow_insecure_endpoints,
  });
  const compacted = compact(subscription, provider.bid_webhook);
  if (delivery.method === 'webhook' && compacted.webhook_url === null)
    throw invalidField(
      'body.delivery.webhook_url',
      'is needed, because the provider has no bid_webhook',
    );
  const nextMatch = withSubscription(match, compacted, command.at);
  const { subscription_id, provider_id, categories, created_at, version } = subscription;
  return {
    writes: [
      create(ref(subscriptions, subscription_id), subscription),
      set(ref(matches, provider_id), nextMatch),
    ],
    events: [
      {
        topic: 'aex-provider-events',
        type: 'subscription.created',
        subject: ref(subscriptions, subscription_id).path,
        version,
        fields: { subscription_id, provider_id, categories, created_at },
      },
    ],
    reply: createdView(subscription),
  };
}

function newSubscription(command: CreateSubscriptionCommand): Subscription {
  const { provider_id, categories, filters, cpa_preferences, delivery } = command.request;
  const { cpa_filter_enabled, default_cpa_preference } = command.registry.subscriptions;
  const at = command.at.toISOString();
  return {
    subscription_id: command.subscription_id,
    provider_id,
    categories: [...new Set(categories)],
    filters: {
      min_budget: filters?.min_budget ?? null,
      max_latency_ms: filters?.max_latency_ms ?? null,
      regions: [...new Set(filters?.regions)],
    },
    cpa_preferences: {
      only_cpa_enabled: cpa_preferences?.only_cpa_enabled ?? default_cpa_preference,
      min_bonus_opportunity: cpa_preferences?.min_bonus_opportunity ?? null,
      max_penalty_exposure: cpa_preferences?.max_penalty_exposure ?? null,
      preferred_criteria: cpa_preferences?.preferred_criteria ?? [],
    },
    cpa_filter_active: cpa_filter_enabled && (cpa_preferences != null || default_cpa_preference),
    delivery: { method: delivery.method, webhook_url: delivery.webhook_url ?? null },
    secrets: [{ ciphertext: command.secret_ciphertext, created_at: at, expires_at: null }],
    status: 'ACTIVE',
    created_at: at,
    updated_at: at,
    version: 1,
  };
}
