import { z } from 'zod';

import { notFound } from '../../shared/errors.ts';
import { newId } from '../../shared/ids.ts';
import { endpoint } from '../../shared/runtime/endpoint.ts';
import { withheldNotice } from '../../shared/runtime/idempotency.ts';
import { providerRegistry } from '../../shared/runtime/settings.ts';
import { createSubscription, createSubscriptionRefs } from '../../shared/subscriptions/create.ts';
import { CreateSubscription, SubscriptionStatus } from '../../shared/subscriptions/schema.ts';
import { secretAad } from '../../shared/subscriptions/secret-aad.ts';
import { newWebhookSecret } from '../../shared/webhooks/secret.ts';

export default endpoint('create-subscription', {
  summary: 'Subscribe a provider to categories of work',
  description:
    'Categories are globs: `travel.*`, `hospitality.hotels`, `legal/*`. Without a webhook_secret one is generated and shown once.',
  body: CreateSubscription,
  reply: z.object({
    subscription_id: z.string(),
    provider_id: z.string(),
    categories: z.array(z.string()),
    cpa_filter_active: z.boolean(),
    status: SubscriptionStatus,
    created_at: z.string(),
    webhook_secret: z.string().optional(),
    withheld: z.array(z.string()).optional(),
    notice: z.string().optional(),
  }),
  secrets: ['webhook_secret'],
  errors: ['not_found', 'conflict'],
  handle: async ({ body }, { caller, store, vault, config, command, randomBytes }) => {
    if (caller.kind === 'provider' && caller.providerId !== body.provider_id)
      throw notFound('provider');
    const given = body.delivery.webhook_secret;
    const secret = given ?? newWebhookSecret(randomBytes(32));
    const subscriptionId = newId('sub', randomBytes(8));
    const creating = command({
      request: body,
      subscription_id: subscriptionId,
      secret_ciphertext: await vault.seal(secret, secretAad(subscriptionId)),
      registry: providerRegistry(),
      allow_insecure_endpoints: config.allow_insecure_endpoints,
    });
    const { reply, replayed } = await store.apply(
      creating,
      createSubscriptionRefs(creating),
      createSubscription,
    );
    if (given !== undefined) return reply;
    return {
      ...reply,
      ...(replayed ? withheldNotice(['webhook_secret']) : { webhook_secret: secret }),
    };
  },
});
