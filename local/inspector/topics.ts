import type { Pubsub } from '../pubsub/server.ts';
import type { WireSubscription, WireTopic } from '../pubsub/wire.ts';
import { isoTime, lastPart } from './display.ts';
import { maskJson, maskText } from './masking.ts';
import { showPayload } from './payload.ts';
import { call } from './rpc.ts';

/** Of each subscription, the next to be delivered. */
const MESSAGES_MAX = 50;

type Outstanding = ReturnType<Pubsub['outstanding']>[number];

const showMessage = ({ message, attempts, dueMs }: Outstanding) => ({
  id: message.id,
  publish_time: isoTime(message.publishMs),
  due_time: isoTime(dueMs),
  attempts,
  ordering_key: message.orderingKey === '' ? null : maskText(message.orderingKey),
  attributes: maskJson(message.attributes),
  payload: showPayload(message.data),
});

/** Topics with their subscriptions, and what each subscription has not acknowledged yet. */
export async function listTopics(pubsub: Pubsub, project: string) {
  const parent = { project: `projects/${project}` };
  const { topics } = await call<{ topics: WireTopic[] }>(pubsub.services, 'ListTopics', parent);
  const { subscriptions } = await call<{ subscriptions: WireSubscription[] }>(
    pubsub.services,
    'ListSubscriptions',
    parent,
  );
  const showSubscription = (subscription: WireSubscription) => {
    const name = subscription.name ?? '';
    const outstanding = pubsub.outstanding(name);
    const deadLetter = subscription.deadLetterPolicy;
    return {
      name,
      id: lastPart(name),
      topic: lastPart(subscription.topic ?? ''),
      push_endpoint: maskText(subscription.pushConfig?.pushEndpoint ?? '') || null,
      filter: subscription.filter ? maskText(subscription.filter) : null,
      ack_deadline_s: subscription.ackDeadlineSeconds,
      dead_letter: deadLetter?.deadLetterTopic
        ? {
            topic: lastPart(deadLetter.deadLetterTopic),
            max_delivery_attempts: deadLetter.maxDeliveryAttempts,
          }
        : null,
      outstanding: outstanding.length,
      messages: outstanding
        .toSorted((a, b) => a.dueMs - b.dueMs)
        .slice(0, MESSAGES_MAX)
        .map(showMessage),
    };
  };
  return {
    topics: topics.map(({ name }) => ({ name, id: lastPart(name ?? '') })),
    subscriptions: subscriptions.map(showSubscription),
  };
}
