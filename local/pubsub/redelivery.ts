import { lastPart, projectOf } from './names.ts';
import type { Message, MessageContent } from './message.ts';
import type { SubscriptionSettings } from './subscription-settings.ts';

/** Without a retry policy a push backs off by itself, and a pulled message is there again at once. */
const PUSH_BACKOFF_MS = { min: 100, max: 60_000 };

/** The wait after the given failed attempt (the first is 1). */
export function redeliveryDelayMs(settings: SubscriptionSettings, attempt: number): number {
  const doublings = 2 ** Math.min(attempt - 1, 40);
  const { retry } = settings;
  if (retry) return Math.min(retry.maxBackoffMs, retry.minBackoffMs * doublings);
  if (settings.push) return Math.min(PUSH_BACKOFF_MS.max, PUSH_BACKOFF_MS.min * doublings);
  return 0;
}

/** A message as it reaches the dead-letter topic: with where it comes from in its attributes. */
export const deadLetterOf = (
  message: Message,
  settings: SubscriptionSettings,
  attempts: number,
): MessageContent => ({
  data: message.data,
  orderingKey: message.orderingKey,
  attributes: {
    ...message.attributes,
    CloudPubSubDeadLetterSourceDeliveryCount: String(attempts),
    CloudPubSubDeadLetterSourceSubscription: lastPart(settings.name),
    CloudPubSubDeadLetterSourceSubscriptionProject: projectOf(settings.name),
    CloudPubSubDeadLetterSourceTopicPublishTime: new Date(message.publishMs).toISOString(),
  },
});
