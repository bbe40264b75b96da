import { z } from 'zod';

import { derivedId } from '../ids.ts';
import { collection, ref } from '../store/collection.ts';
import type { TaskRequest } from '../store/decision.ts';
import { Timestamp } from '../time.ts';

const Failure = z.object({
  /** A canonical reason of the execution layer, such as `timeout`. */
  reason_code: z.string(),
  message: z.string(),
  http_status: z.int().nullable(),
  at: Timestamp,
});

/** How far telling one provider of one RFQ has come. */
export const DeliveryState = z.discriminatedUnion('state', [
  z.object({ state: z.literal('retrying'), next_attempt_at: Timestamp, last_failure: Failure }),
  z.object({ state: z.literal('delivered'), delivered_at: Timestamp, http_status: z.int() }),
  z.object({ state: z.literal('failed'), failed_at: Timestamp, last_failure: Failure }),
]);
export type DeliveryState = z.infer<typeof DeliveryState>;

/** Written after the first attempt; its id is the provider's. */
export const Delivery = z.object({
  rfq_id: z.string(),
  provider_id: z.string(),
  subscription_id: z.string(),
  /** The `webhook-id`, the same for every attempt, by which a receiver knows a repetition. */
  message_id: z.string(),
  /** Attempts that reached the network. */
  attempts: z.int().nonnegative(),
  /** Those of them made before it was last reopened: the back-off starts anew after them. */
  attempts_at_reopening: z.int().nonnegative().default(0),
  progress: DeliveryState,
  created_at: Timestamp,
  updated_at: Timestamp,
  version: z.int().positive(),
});
export type Delivery = z.infer<typeof Delivery>;

export const deliveries = collection('rfqs/*/deliveries', Delivery);

/** Whom to tell of an RFQ, and through which subscription. */
export interface Recipient {
  readonly rfq_id: string;
  readonly provider_id: string;
  readonly subscription_id: string;
}

export const deliveryRef = ({ rfq_id, provider_id }: Pick<Recipient, 'rfq_id' | 'provider_id'>) =>
  ref(deliveries, rfq_id, provider_id);

export const messageId = ({ rfq_id, provider_id }: Recipient): string =>
  derivedId('msg', rfq_id, provider_id);

/**
 * One call of `deliver-rfq`, whose payload is the recipient and `n`.
 *
 * @param n 0 for the first call, then one more for each, deferred ones too: it makes the name unique
 */
export const deliveryTask = (recipient: Recipient, n: number, at?: Date): TaskRequest => ({
  function: 'deliver-rfq',
  name: `deliver-rfq/${recipient.rfq_id}/${recipient.provider_id}/${n}`,
  payload: { ...recipient, n },
  ...(at && { at }),
});
