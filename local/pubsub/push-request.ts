import type { Delivery, Dispatch } from '../kernel/dispatch.ts';
import type { Message } from './message.ts';
import type { PushTarget, SubscriptionSettings } from './subscription-settings.ts';

const ACKNOWLEDGING_STATUSES = [102, 200, 201, 202, 204];
/** The query that Eventarc puts on the push endpoints it makes. */
const CLOUD_EVENTS_BINDING = '__GCP_CloudEventsMode=CE_PUBSUB_BINDING';

export const isAcknowledged = (delivery: Delivery): boolean =>
  delivery.kind === 'answered' && ACKNOWLEDGING_STATUSES.includes(delivery.status);

/** Both spellings of each name, as production sends them. */
function pushBody(message: Message, settings: SubscriptionSettings, attempt: number) {
  const publishTime = new Date(message.publishMs).toISOString();
  return {
    message: {
      ...(Object.keys(message.attributes).length > 0 && { attributes: message.attributes }),
      data: Buffer.from(message.data).toString('base64'),
      messageId: message.id,
      message_id: message.id,
      ...(message.orderingKey && { orderingKey: message.orderingKey }),
      publishTime,
      publish_time: publishTime,
    },
    subscription: settings.name,
    // Only subscriptions with a dead-letter policy count attempts.
    ...(settings.deadLetter && { deliveryAttempt: attempt }),
  };
}

const cloudEventHeaders = (message: Message) => ({
  'ce-id': message.id,
  'ce-source': `//pubsub.googleapis.com/${message.topic}`,
  'ce-specversion': '1.0',
  'ce-type': 'google.cloud.pubsub.topic.v1.messagePublished',
  'ce-time': new Date(message.publishMs).toISOString(),
});

export const pushRequest = (
  message: Message,
  attempt: number,
  settings: SubscriptionSettings,
  push: PushTarget,
  token: string | undefined,
): Dispatch => ({
  url: push.endpoint,
  deadlineMs: settings.ackDeadlineMs,
  processingIsAnswer: true,
  body: Buffer.from(JSON.stringify(pushBody(message, settings, attempt))),
  headers: {
    'Content-Type': 'application/json',
    'User-Agent': 'APIs-Google; (+https://developers.google.com/webmasters/APIs-Google.html)',
    From: 'noreply@google.com',
    ...(push.endpoint.includes(CLOUD_EVENTS_BINDING) && cloudEventHeaders(message)),
    ...(token && { Authorization: `Bearer ${token}` }),
  },
});
