import { deadLettered } from '../dead-letters/record.ts';
import { notFound } from '../errors.ts';
import { ref } from '../store/collection.ts';
import { type Command, type Decision, type Docs, set } from '../store/decision.ts';
import { type Delivery, type Recipient, deliveryRef, deliveryTask, messageId } from './delivery.ts';
import { type AttemptOutcome, nextDelivery } from './next-delivery.ts';
import { type Rfq, rfqs } from './schema.ts';

/** Awarded, cancelled or unsubscribed meanwhile: nothing failed that anybody would want to replay. */
const MOOT: ReadonlySet<string> = new Set(['rfq_closed', 'subscription_ended']);

export interface RecordAttemptCommand extends Command {
  readonly recipient: Recipient;
  /** The `n` of the task that made the attempt. */
  readonly n: number;
  readonly outcome: AttemptOutcome;
  /** When the attempt ended: a slow webhook is given its pause after it, not from its beginning. */
  readonly ended_at: Date;
}

export interface AttemptRecorded {
  readonly delivery: Delivery;
  /** Then the handler ends the subscription with `endSubscription`, as DISABLED. */
  readonly disable_subscription: boolean;
}

export const recordAttemptRefs = ({ recipient }: Pick<RecordAttemptCommand, 'recipient'>) => ({
  rfq: ref(rfqs, recipient.rfq_id),
  delivery: deliveryRef(recipient),
});

/**
 * Saves what came of an attempt and, in the same commit, schedules the next or writes the dead letter.
 *
 * @throws {AppError} `not_found` without the RFQ
 */
export function recordAttempt(
  { rfq, delivery }: Docs<ReturnType<typeof recordAttemptRefs>>,
  command: RecordAttemptCommand,
): Decision<AttemptRecorded> {
  if (!rfq) throw notFound('RFQ');
  if (delivery && delivery.progress.state !== 'retrying')
    return { writes: [], reply: { delivery, disable_subscription: false } };
  const { recipient, outcome, n, ended_at: at } = command;
  const { progress, attempts, disable_subscription } = nextDelivery(
    delivery,
    outcome,
    at,
    new Date(rfq.bid_deadline),
  );
  const next: Delivery = {
    ...recipient,
    message_id: messageId(recipient),
    attempts,
    attempts_at_reopening: delivery?.attempts_at_reopening ?? 0,
    progress,
    created_at: delivery?.created_at ?? at.toISOString(),
    updated_at: at.toISOString(),
    version: (delivery?.version ?? 0) + 1,
  };
  const saved = set(deliveryRef(recipient), next);
  const reply = { delivery: next, disable_subscription };
  switch (progress.state) {
    case 'delivered':
      return { writes: [saved], reply };
    case 'retrying': {
      const again = new Date(progress.next_attempt_at);
      return { writes: [saved], tasks: [deliveryTask(recipient, n + 1, again)], reply };
    }
    case 'failed': {
      if (MOOT.has(progress.last_failure.reason_code)) return { writes: [saved], reply };
      const letter = deadLetterOf(rfq, next, progress.last_failure, command);
      return { writes: [saved, letter.write], events: [letter.event], reply };
    }
  }
}

const deadLetterOf = (
  { org_slug, rfq_id }: Rfq,
  { provider_id, subscription_id, message_id, attempts }: Delivery,
  { reason_code, message }: { readonly reason_code: string; readonly message: string },
  { ended_at: at, n }: RecordAttemptCommand,
) =>
  deadLettered(
    {
      tenant_id: org_slug,
      campaign_id: rfq_id,
      task_name: 'deliver-rfq',
      provider_name: provider_id,
      capability: 'webhook_delivery',
      operation: 'rfq.published',
      idempotency_key: message_id,
      correlation_id: rfq_id,
      reason_code,
      error_type: 'DeliveryFailed',
      error_message: message,
      attempts,
      occurred_at: at.toISOString(),
    },
    { function: 'deliver-rfq', payload: { rfq_id, provider_id, subscription_id, n: n + 1 } },
  );
