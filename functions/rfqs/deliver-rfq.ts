import { z } from 'zod';

import {
  type Delivery,
  type Recipient,
  deliveryRef,
  messageId,
} from '../../shared/rfqs/delivery.ts';
import { quotesUrl } from '../../shared/rfqs/invitation.ts';
import { type AttemptOutcome, isGone } from '../../shared/rfqs/next-delivery.ts';
import { recordAttempt, recordAttemptRefs } from '../../shared/rfqs/record-attempt.ts';
import { type Rfq, rfqs } from '../../shared/rfqs/schema.ts';
import { type TaskContext, task } from '../../shared/runtime/task.ts';
import { ref } from '../../shared/store/collection.ts';
import { endSubscription, endSubscriptionRefs } from '../../shared/subscriptions/end.ts';
import { type Subscription, subscriptions } from '../../shared/subscriptions/schema.ts';
import { secretAad } from '../../shared/subscriptions/secret-aad.ts';
import { attemptOutcome } from '../../shared/webhooks/attempt-outcome.ts';
import { breakerHome } from '../../shared/matching/breaker-home.ts';
import { type Match, matches } from '../../shared/matching/schema.ts';
import { rfqPublished } from '../../shared/webhooks/rfq-published.ts';
import { sign } from '../../shared/webhooks/sign.ts';
import { WebhookProvider } from '../../shared/webhooks/webhook-provider.ts';

export default task('deliver-rfq', {
  summary: 'Send one RFQ to one provider by signed webhook, and plan the next attempt if it fails',
  payload: z.object({
    rfq_id: z.string(),
    provider_id: z.string(),
    subscription_id: z.string(),
    n: z.int().nonnegative(),
  }),
  handle: async ({ n, ...recipient }, context) => {
    const { store, command, now, log } = context;
    const { rfq, delivery, subscription, match } = await store.getAll({
      rfq: ref(rfqs, recipient.rfq_id),
      delivery: deliveryRef(recipient),
      subscription: ref(subscriptions, recipient.subscription_id),
      match: ref(matches, recipient.provider_id),
    });
    if (!rfq) return log.error(recipient, 'delivery dropped: there is no such RFQ');
    // Issued in one order whatever follows, so that a rerun of the task issues the same two.
    const recording = command({ recipient, n });
    const ending = command({
      subscription_id: recipient.subscription_id,
      provider_id: recipient.provider_id,
      as: 'DISABLED' as const,
    });
    const disable = () => store.apply(ending, endSubscriptionRefs(ending), endSubscription);
    if (isSettled(delivery, n)) {
      // Still ACTIVE after a 410 when a crash came between the two commits below.
      if (isGone(delivery) && subscription?.status === 'ACTIVE') await disable();
      return;
    }
    const outcome = await attempt({ rfq, delivery, subscription, match }, recipient, context);
    log.info(
      { event: 'rfq.delivery_attempted', ...recipient, n, outcome },
      `delivery ${outcome.kind}`,
    );

    const recorded = { ...recording, outcome, ended_at: now() };
    // The usual case costs one write: delivered at once, appended under its own id.
    if (!delivery && outcome.kind === 'delivered') {
      const { reply } = recordAttempt({ rfq, delivery }, recorded);
      if (await store.append(deliveryRef(recipient), reply.delivery)) return;
    }
    const { reply } = await store.apply(recorded, recordAttemptRefs(recorded), recordAttempt);
    if (reply.disable_subscription) await disable();
  },
});

/** Nothing to do: it has ended, or this task's attempt was recorded and this is a duplicate. */
const isSettled = (delivery: Delivery | null, n: number): delivery is Delivery =>
  delivery !== null && (delivery.progress.state !== 'retrying' || delivery.version > n);

async function attempt(
  {
    rfq,
    delivery,
    subscription,
    match,
  }: {
    rfq: Rfq;
    delivery: Delivery | null;
    subscription: Subscription | null;
    match: Match | null;
  },
  recipient: Recipient,
  context: TaskContext,
): Promise<AttemptOutcome> {
  const { vault, config, now } = context;
  const pointless = (reason_code: string, message: string): AttemptOutcome => ({
    kind: 'pointless',
    reason_code,
    message,
  });
  const deadline = new Date(rfq.bid_deadline);
  if (rfq.status !== 'OPEN') return pointless('rfq_closed', `the RFQ is ${rfq.status}`);
  if (deadline <= now())
    return pointless('deadline_passed', 'the bid deadline passed before it could be delivered');
  const url = match?.subscriptions.find(
    (each) => each.subscription_id === recipient.subscription_id,
  )?.webhook_url;
  if (subscription?.status !== 'ACTIVE' || !match || !url)
    return pointless('subscription_ended', 'the subscription has ended or has no webhook');
  const secrets = await Promise.all(
    subscription.secrets
      .filter(({ expires_at }) => expires_at === null || expires_at > now().toISOString())
      .map(({ ciphertext }) => vault.open(ciphertext, secretAad(subscription.subscription_id))),
  );
  // The same body for every attempt: what was decided once is told the same way.
  const payload = rfqPublished(
    rfq,
    quotesUrl(config.public_url, rfq.rfq_id),
    new Date(rfq.created_at),
  );
  const body = JSON.stringify(payload);
  const id = messageId(recipient);
  const result = await new WebhookProvider(recipient.provider_id, context).execute({
    tenantId: rfq.org_slug,
    campaignId: rfq.rfq_id,
    operation: payload.type,
    payload: { url, headers: { ...sign({ id, at: now(), body }, secrets) }, body },
    context: {
      correlationId: rfq.rfq_id,
      idempotencyKey: id,
      attemptsBefore: delivery ? delivery.attempts - delivery.attempts_at_reopening : 0,
      notAfter: deadline,
      deadLetters: true,
      breakerHome: breakerHome(match),
    },
  });
  return attemptOutcome(result);
}
