import { z } from 'zod';

import { GivenId } from '../ids.ts';
import { PatternText } from '../matching/pattern.ts';
import { DeliveryMethod, Filters, SubscriptionCpa } from '../matching/schema.ts';
import { NonNegativeDecimal } from '../money/decimal.ts';
import { Rate } from '../providers/cpa.ts';
import { GivenUrl } from '../providers/url.ts';
import { collection } from '../store/collection.ts';
import { Timestamp } from '../time.ts';
import { WebhookSecret } from '../webhooks/secret.ts';

/** DISABLED: its webhook answered 410 Gone. Neither CANCELLED nor DISABLED receives anything. */
export const SubscriptionStatus = z.enum(['ACTIVE', 'CANCELLED', 'DISABLED']);

export const Subscription = z.object({
  subscription_id: z.string(),
  provider_id: z.string(),
  categories: z.array(z.string()),
  filters: Filters,
  cpa_preferences: SubscriptionCpa,
  /** Whether CPA preferences were given and count here. */
  cpa_filter_active: z.boolean(),
  delivery: z.object({
    method: DeliveryMethod,
    /** Its own address; null means the provider's bid_webhook. */
    webhook_url: z.string().nullable(),
  }),
  /** Encrypted; newest first, two during a rotation. Never part of a view. */
  secrets: z
    .array(
      z.object({
        ciphertext: z.string(),
        created_at: Timestamp,
        expires_at: Timestamp.nullable(),
      }),
    )
    .max(2),
  status: SubscriptionStatus,
  created_at: Timestamp,
  updated_at: Timestamp,
  version: z.int().positive(),
});
export type Subscription = z.infer<typeof Subscription>;

export const subscriptions = collection('subscriptions', Subscription);

/** POST /v1/subscriptions. */
export const CreateSubscription = z.object({
  provider_id: GivenId,
  categories: z.array(PatternText).min(1).max(100),
  filters: z
    .object({
      min_budget: NonNegativeDecimal.nullish(),
      max_latency_ms: z.int().positive().nullish(),
      regions: z.array(z.string().trim().toLowerCase().min(1).max(64)).max(100).nullish(),
    })
    .nullish(),
  cpa_preferences: z
    .object({
      only_cpa_enabled: z.boolean().optional(),
      min_bonus_opportunity: NonNegativeDecimal.nullish(),
      max_penalty_exposure: Rate.nullish(),
      preferred_criteria: z.array(z.string().min(1).max(64)).max(50).nullish(),
    })
    .nullish(),
  delivery: z
    .object({
      method: z
        .literal('webhook', { error: 'must be webhook; polling is not offered' })
        .default('webhook'),
      webhook_url: z.preprocess(
        (value) => (value === '' || value === null ? undefined : value),
        GivenUrl.optional(),
      ),
      /** Generated when absent. */
      webhook_secret: WebhookSecret.optional(),
    })
    .prefault({}),
});
export type CreateSubscription = z.infer<typeof CreateSubscription>;
