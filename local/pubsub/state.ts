import { RpcError } from '../kernel/grpc.ts';
import type { Meter } from '../kernel/meter.ts';
import type { Message, MessageContent } from './message.ts';
import { MessageIds } from './message-ids.ts';
import { checkName } from './names.ts';
import { deadLetterOf } from './redelivery.ts';
import { type Progress, Subscription, type SubscriptionParts } from './subscription.ts';
import { DELETED_TOPIC, type SubscriptionSettings } from './subscription-settings.ts';

export interface Topic {
  readonly name: string;
  readonly labels: Readonly<Record<string, string>>;
}

export type StateParts = Pick<
  SubscriptionParts,
  'clock' | 'journal' | 'identity' | 'dispatcher'
> & { readonly meter: Meter };

/** All topics, subscriptions and unacknowledged messages. Survives the process. */
export class PubsubState {
  readonly #parts: StateParts;
  readonly #topics: Map<string, Topic>;
  readonly #subscriptions = new Map<string, Subscription>();
  readonly #ids: MessageIds;
  /** How many subscriptions still hold a message. */
  readonly #holders = new Map<string, number>();
  readonly #tables;

  constructor(parts: StateParts) {
    const { journal } = parts;
    this.#parts = parts;
    this.#ids = new MessageIds(journal);
    this.#tables = {
      topics: journal.table<Topic>('pubsub.topics'),
      subscriptions: journal.table<SubscriptionSettings>('pubsub.subscriptions'),
      messages: journal.table<Message>('pubsub.messages'),
      progress: journal.table<Progress>('pubsub.progress'),
    };
    this.#topics = new Map(this.#tables.topics.load());
    for (const [, settings] of this.#tables.subscriptions.load()) this.#open(settings);
    this.#restoreMessages();
  }

  get topics(): ReadonlyMap<string, Topic> {
    return this.#topics;
  }

  get subscriptions(): ReadonlyMap<string, Subscription> {
    return this.#subscriptions;
  }

  topic(name: string | null | undefined): Topic {
    const topic = this.#topics.get(checkName('topics', name));
    if (topic) return topic;
    throw new RpcError('NOT_FOUND', `Resource not found (resource=${name}).`);
  }

  subscription(name: string | null | undefined): Subscription {
    const subscription = this.#subscriptions.get(checkName('subscriptions', name));
    if (subscription) return subscription;
    throw new RpcError('NOT_FOUND', `Resource not found (resource=${name}).`);
  }

  keepTopic(topic: Topic): void {
    this.#topics.set(topic.name, topic);
    this.#tables.topics.put(topic.name, topic);
  }

  /** Its subscriptions live on and still deliver what they hold. */
  deleteTopic(topic: Topic): void {
    this.#topics.delete(topic.name);
    this.#tables.topics.delete(topic.name);
    for (const subscription of this.#subscriptions.values())
      if (subscription.settings.topic === topic.name)
        this.configure(subscription, { ...subscription.settings, topic: DELETED_TOPIC });
  }

  createSubscription(settings: SubscriptionSettings): void {
    this.#tables.subscriptions.put(settings.name, settings);
    this.#open(settings);
  }

  configure(subscription: Subscription, settings: SubscriptionSettings): void {
    this.#tables.subscriptions.put(settings.name, settings);
    subscription.configure(settings);
  }

  deleteSubscription(subscription: Subscription): void {
    subscription.clear();
    this.#subscriptions.delete(subscription.settings.name);
    this.#tables.subscriptions.delete(subscription.settings.name);
  }

  /** Returns the new message's id. */
  publish(topic: Topic, content: MessageContent): string {
    this.#parts.meter.count('messages');
    const message = {
      ...content,
      id: this.#ids.next(),
      topic: topic.name,
      publishMs: this.#parts.clock.nowMs(),
    };
    const takers = [...this.#subscriptions.values()].filter(
      (subscription) => subscription.settings.topic === topic.name && subscription.wants(message),
    );
    if (takers.length === 0) return message.id;
    this.#holders.set(message.id, takers.length);
    this.#tables.messages.put(message.id, message);
    for (const subscription of takers) subscription.accept(message);
    return message.id;
  }

  close(): void {
    for (const subscription of this.#subscriptions.values()) subscription.close();
  }

  #open(settings: SubscriptionSettings): void {
    const parts: SubscriptionParts = {
      ...this.#parts,
      table: this.#tables.progress,
      bury: (message, source, attempts) => this.#bury(message, source, attempts),
      onGone: (message) => this.#release(message),
    };
    this.#subscriptions.set(settings.name, new Subscription(parts, settings));
  }

  #bury(message: Message, source: SubscriptionSettings, attempts: number): boolean {
    const topic = this.#topics.get(source.deadLetter?.topic ?? '');
    if (topic) this.publish(topic, deadLetterOf(message, source, attempts));
    return topic !== undefined;
  }

  #release(message: Message): void {
    const holders = (this.#holders.get(message.id) ?? 1) - 1;
    if (holders > 0) {
      this.#holders.set(message.id, holders);
      return;
    }
    this.#holders.delete(message.id);
    this.#tables.messages.delete(message.id);
  }

  #restoreMessages(): void {
    const messages = new Map(this.#tables.messages.load());
    const held = this.#tables.progress
      .load()
      .map(([key, progress]) => {
        const [subscription = '', messageId = ''] = key.split(' ');
        return { subscription, messageId, progress };
      })
      .sort((a, b) => (a.messageId < b.messageId ? -1 : 1));
    for (const { messageId } of held)
      this.#holders.set(messageId, (this.#holders.get(messageId) ?? 0) + 1);
    for (const { subscription, messageId, progress } of held) {
      const message = messages.get(messageId);
      if (message) this.#subscriptions.get(subscription)?.restore(message, progress);
    }
  }
}
