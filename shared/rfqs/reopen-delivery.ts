import { AppError } from '../errors.ts';
import { ref } from '../store/collection.ts';
import { type Command, type Decision, type Docs, set } from '../store/decision.ts';
import { subscriptions } from '../subscriptions/schema.ts';
import { type Delivery, type Recipient, deliveryRef, deliveryTask } from './delivery.ts';
import { rfqs } from './schema.ts';

export const reopenDeliveryRefs = (recipient: Recipient) => ({
  rfq: ref(rfqs, recipient.rfq_id),
  delivery: deliveryRef(recipient),
  subscription: ref(subscriptions, recipient.subscription_id),
});

/**
 * Tries a delivery again that had failed for good: at once, then with the pauses of a new one, under
 * the same `webhook-id`.
 *
 * @throws {AppError} `rfq_closed` when the RFQ takes no more quotes; `conflict` when the delivery has not
 *   failed or its subscription has ended
 */
export function reopenDelivery(
  { rfq, delivery, subscription }: Docs<ReturnType<typeof reopenDeliveryRefs>>,
  { at }: Command,
): Decision<Delivery> {
  if (!rfq || !delivery)
    throw new AppError('conflict', 'What is known of this delivery is no longer kept.');
  const { progress } = delivery;
  if (progress.state === 'delivered')
    throw new AppError('conflict', `It was delivered on ${progress.delivered_at}.`);
  if (progress.state === 'retrying')
    throw new AppError(
      'conflict',
      `It is being tried already; its next attempt is due on ${progress.next_attempt_at}.`,
    );
  if (rfq.status !== 'OPEN')
    throw new AppError('rfq_closed', `The RFQ is ${rfq.status}: nobody is told of it any more.`);
  if (Date.parse(rfq.bid_deadline) <= at.getTime())
    throw new AppError(
      'rfq_closed',
      `The bid deadline was ${rfq.bid_deadline}: nobody is told of the RFQ any more.`,
    );
  if (subscription?.status !== 'ACTIVE')
    throw new AppError(
      'conflict',
      'The subscription that it would be delivered through has ended.',
    );
  const { rfq_id, provider_id, subscription_id, attempts } = delivery;
  const next: Delivery = {
    ...delivery,
    attempts_at_reopening: attempts,
    progress: {
      state: 'retrying',
      next_attempt_at: at.toISOString(),
      last_failure: progress.last_failure,
    },
    updated_at: at.toISOString(),
    version: delivery.version + 1,
  };
  // Its version as `n`: no task before had it, and no duplicate of one is taken for this attempt.
  const task = deliveryTask({ rfq_id, provider_id, subscription_id }, next.version);
  return { writes: [set(deliveryRef(delivery), next)], tasks: [task], reply: next };
}
