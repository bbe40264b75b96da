import { derivedId } from '../ids.ts';
import type { DeadLetter } from './schema.ts';

/** The attributes that Pub/Sub adds when it gives a message up. */
const SOURCE = 'CloudPubSubDeadLetterSourceSubscription';
const COUNT = 'CloudPubSubDeadLetterSourceDeliveryCount';
/** What is kept of a message's text; a document holds 1 MiB. */
const TEXT_LENGTH_MAX = 100_000;

/** The row of a message that Pub/Sub gave up, or that came to the dead letters in no known form. */
export function salvaged(
  message: {
    readonly id: string;
    readonly attributes: Readonly<Record<string, string>>;
    readonly text: string;
  },
  at: Date,
): DeadLetter {
  const { id, attributes, text } = message;
  const subscription = attributes[SOURCE] ?? 'unknown';
  return {
    dead_letter_id: derivedId('dl', subscription, id),
    tenant_id: 'platform',
    campaign_id: null,
    task_name: subscription,
    provider_name: 'platform',
    capability: 'event_consumption',
    operation: attributes['event_type'] ?? 'unknown',
    idempotency_key: id,
    correlation_id: id,
    reason_code: 'bad_request',
    error_type: 'UnhandledMessage',
    error_message: `${subscription} could not handle this message`,
    attempts: Number(attributes[COUNT] ?? 0),
    occurred_at: at.toISOString(),
    status: 'OPEN',
    replay: {
      function: subscription,
      payload: { attributes: { ...attributes }, text: text.slice(0, TEXT_LENGTH_MAX) },
    },
    replayed_at: null,
    version: 1,
  };
}
