import { randomBytes } from 'node:crypto';

import { keyOf } from '../../shared/matching/keys.ts';
import { matches } from '../../shared/matching/schema.ts';
import { ref } from '../../shared/store/collection.ts';
import { type Write, set } from '../../shared/store/decision.ts';
import { subscriptions } from '../../shared/subscriptions/schema.ts';
import { secretAad } from '../../shared/subscriptions/secret-aad.ts';
import { newWebhookSecret } from '../../shared/webhooks/secret.ts';
import { aMatch, aSubscription } from '../shared/examples.ts';
import type { TestPurvey } from '../support/purvey.ts';

/** Writes in one commit: a document each for the match and the subscription. */
const SEEDED_AT_ONCE = 100;

/**
 * Puts providers into the store as the routes would leave them, many at once: matched by `category`,
 * and eligible where `isEligible` says so. Ids ascend with the index.
 */
export async function seedProviders(
  purvey: TestPurvey,
  count: number,
  given: {
    readonly category: string;
    readonly webhookUrl: string;
    readonly isEligible: (index: number) => boolean;
  },
): Promise<string[]> {
  const { category, webhookUrl, isEligible } = given;
  const { store, vault } = purvey.services;
  const at = new Date(purvey.clock.nowMs()).toISOString();
  const ids = Array.from({ length: count }, (_, index) => index.toString(16).padStart(16, '0'));
  const seeds = ids.map(async (id, index): Promise<Write[]> => {
    const provider_id = `prov_${id}`;
    const subscription_id = `sub_${id}`;
    const compact = aSubscription({
      subscription_id,
      categories: [category],
      webhook_url: `${webhookUrl}/${provider_id}`,
    });
    const ciphertext = await vault.seal(
      newWebhookSecret(randomBytes(32)),
      secretAad(subscription_id),
    );
    return [
      set(
        ref(matches, provider_id),
        aMatch({
          provider_id,
          keys: [keyOf(category)],
          subscriptions: [compact],
          score: { value: isEligible(index) ? 90 : 60, source: 'operator', captured_at: at },
        }),
      ),
      set(ref(subscriptions, subscription_id), {
        ...compact,
        provider_id,
        cpa_filter_active: false,
        delivery: { method: 'webhook', webhook_url: compact.webhook_url },
        secrets: [{ ciphertext, created_at: at, expires_at: null }],
        status: 'ACTIVE',
        updated_at: at,
        version: 1,
      }),
    ];
  });
  const writes = await Promise.all(seeds);
  for (let from = 0; from < count; from += SEEDED_AT_ONCE)
    await store.write(writes.slice(from, from + SEEDED_AT_ONCE).flat());
  return ids.map((id) => `prov_${id}`);
}
