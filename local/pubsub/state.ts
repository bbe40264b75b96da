import { RpcError } from '../kernel/grpc.ts';
import type { Journal } from '../kernel/journal.ts';
import type { Meter } from '../kernel/meter.ts';
import { type Message, type MessageContent, volumeOf } from './message.ts';
import { MessageIds } from './message-ids.ts';
import { checkName, type Kind } from './names.ts';
import type { Progress } from './outstanding.ts';
import { deadLetterOf } from './redelivery.ts';
import { Retained } from './retained.ts';
import type { Schema } from './schema.ts';
import { holds, type Snapshot } from './snapshot.ts';
import { Subscription, type SubscriptionParts } from './subscription.ts';
import { DELETED_TOPIC, type SubscriptionSettings, withDefaults } from './subscription-settings.ts';
import type { Topic } from './topic-settings.ts';

export type StateParts = Pick<
  SubscriptionParts,
  'clock' | 'journal' | 'identity' | 'dispatcher' | 'faults'
> & { readonly meter: Meter };

const tablesOf = (journal: Journal) => ({
  topics: journal.table<Topic>('pubsub.topics'),
  subscriptions: journal.table<SubscriptionSettings>('pubsub.subscriptions'),
  snapshots: journal.table<Snapshot>('pubsub.snapshots'),
  schemas: journal.table<Schema>('pubsub.schemas'),
  messages: journal.table<Message>('pubsub.messages'),
  progress: journal.table<Progress>('pubsub.progress'),
});

/** All topics, subscriptions, snapshots and messages that anybody still needs. Survives the process. */
export class PubsubState {
  readonly clock: StateParts['clock'];
  readonly #parts: StateParts;
  readonly #tables: ReturnType<typeof tablesOf>;
  readonly #topics: Map<string, Topic>;
  readonly #snapshots: Map<string, Snapshot>;
  readonly #schemas: Map<string, Schema>;
  readonly #subscriptions = new Map<string, Subscription>();
  readonly #ids: MessageIds;
  readonly #retained: Retained;
  /** How many need a message: subscriptions, and one more if it is retained. */
  readonly #holders = new Map<string, number>();

  constructor(parts: StateParts) {
    this.#parts = parts;
    this.clock = parts.clock;
    this.#ids = new MessageIds(parts.journal);
    this.#tables = tablesOf(parts.journal);
    this.#topics = new Map(this.#tables.topics.load());
    this.#snapshots = new Map(this.#tables.snapshots.load());
    this.#schemas = new Map(this.#tables.schemas.load());
    this.#retained = new Retained({
      isWanted: (message) => this.#isRetained(message),
      onTaken: (message) => this.#hold(message),
      onGone: (message) => this.#release(message),
    });
    for (const [, settings] of this.#tables.subscriptions.load())
      this.#open(withDefaults(settings));
    this.#restoreMessages();
  }

  get topics(): ReadonlyMap<string, Topic> {
    return this.#topics;
  }

  get subscriptions(): ReadonlyMap<string, Subscription> {
    return this.#subscriptions;
  }

  get snapshots(): ReadonlyMap<string, Snapshot> {
    for (const snapshot of this.#snapshots.values())
      if (snapshot.expireMs <= this.clock.nowMs()) this.deleteSnapshot(snapshot);
    return this.#snapshots;
  }

  get schemas(): ReadonlyMap<string, Schema> {
    return this.#schemas;
  }

  topic(name: string | null | undefined): Topic {
    return this.#find('topics', this.#topics, name);
  }

  subscription(name: string | null | undefined): Subscription {
    return this.#find('subscriptions', this.#subscriptions, name);
  }

  snapshot(name: string | null | undefined): Snapshot {
    return this.#find('snapshots', this.snapshots, name);
  }

  schema(name: string | null | undefined): Schema {
    return this.#find('schemas', this.#schemas, name);
  }

  keepTopic(topic: Topic): void {
    this.#topics.set(topic.name, topic);
    this.#tables.topics.put(topic.name, topic);
    this.#retained.sweep();
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
    const kept = { ...settings, sinceId: this.#ids.upcoming };
    this.#tables.subscriptions.put(kept.name, kept);
    this.#open(kept);
  }

  configure(subscription: Subscription, settings: SubscriptionSettings): void {
    const kept = { ...settings, sinceId: subscription.settings.sinceId ?? '' };
    this.#tables.subscriptions.put(kept.name, kept);
    subscription.configure(kept);
    this.#retained.sweep();
  }

  deleteSubscription(subscription: Subscription): void {
    subscription.clear();
    this.#subscriptions.delete(subscription.settings.name);
    this.#tables.subscriptions.delete(subscription.settings.name);
    this.#retained.sweep();
  }

  keepSnapshot(snapshot: Snapshot): void {
    this.#snapshots.set(snapshot.name, snapshot);
    this.#tables.snapshots.put(snapshot.name, snapshot);
  }

  /** A snapshot of what the subscription has not acknowledged, from now on. */
  takeSnapshot(
    subscription: Subscription,
    rest: Pick<Snapshot, 'name' | 'labels' | 'expireMs'>,
  ): Snapshot {
    const unacknowledged = [...subscription.outstanding.values()].map(({ message }) => message);
    const snapshot: Snapshot = {
      ...rest,
      topic: subscription.settings.topic,
      backlog: new Set(unacknowledged.map(({ id }) => id)),
      fromId: this.#ids.upcoming,
    };
    this.keepSnapshot(snapshot);
    for (const message of unacknowledged) this.#retained.offer(message);
    return snapshot;
  }

  deleteSnapshot(snapshot: Snapshot): void {
    this.#snapshots.delete(snapshot.name);
    this.#tables.snapshots.delete(snapshot.name);
    this.#retained.sweep();
  }

  keepSchema(schema: Schema): void {
    this.#schemas.set(schema.name, schema);
    this.#tables.schemas.put(schema.name, schema);
  }

  deleteSchema(schema: Schema): void {
    this.#schemas.delete(schema.name);
    this.#tables.schemas.delete(schema.name);
  }

  /** What is retained of the subscription's topic and passes its filter. */
  retainedFor(subscription: Subscription): Message[] {
    const { topic } = subscription.settings;
    this.#retained.trim(topic);
    return this.#retained.of(topic).filter((message) => subscription.wants(message));
  }

  /** Returns the new messages' ids. */
  publish(topic: Topic, contents: readonly MessageContent[]): string[] {
    const messages = contents.map((content) => ({
      ...content,
      id: this.#ids.next(),
      topic: topic.name,
      publishMs: this.clock.nowMs(),
    }));
    this.#parts.meter.count('messages', messages.length);
    this.#bill(messages);
    this.#retained.trim(topic.name);
    for (const message of messages) this.#distribute(message);
    return messages.map(({ id }) => id);
  }

  close(): void {
    for (const subscription of this.#subscriptions.values()) subscription.close();
  }

  #find<T>(kind: Kind, all: ReadonlyMap<string, T>, name: string | null | undefined): T {
    const found = all.get(checkName(kind, name));
    if (found) return found;
    throw new RpcError('NOT_FOUND', `Resource not found (resource=${name}).`);
  }

  /** Production bills each request by volume, and at least 1,000 bytes. */
  #bill(messages: readonly Message[]): void {
    const bytes = messages.reduce((sum, message) => sum + volumeOf(message), 0);
    this.#parts.meter.count('messageBytes', Math.max(1000, bytes));
  }

  #distribute(message: Message): void {
    this.#retained.offer(message);
    for (const subscription of this.#subscriptions.values())
      if (subscription.settings.topic === message.topic && subscription.wants(message))
        subscription.accept(message);
  }

  #open(settings: SubscriptionSettings): void {
    const parts: SubscriptionParts = {
      ...this.#parts,
      table: this.#tables.progress,
      bury: (message, source, attempts) => this.#bury(message, source, attempts),
      onTaken: (message) => this.#hold(message),
      onGone: (message) => this.#release(message),
      onSent: (messages) => this.#bill(messages),
    };
    this.#subscriptions.set(settings.name, new Subscription(parts, settings));
  }

  #bury(message: Message, source: SubscriptionSettings, attempts: number): boolean {
    const topic = this.#topics.get(source.deadLetter?.topic ?? '');
    if (topic) this.publish(topic, [deadLetterOf(message, source, attempts)]);
    return topic !== undefined;
  }

  #isRetained(message: Message): boolean {
    const ageMs = this.clock.nowMs() - message.publishMs;
    if (ageMs < (this.#topics.get(message.topic)?.retentionMs ?? 0)) return true;
    for (const subscription of this.#subscriptions.values())
      if (retainsFor(subscription, message, ageMs)) return true;
    return [...this.#snapshots.values()].some(
      (snapshot) => snapshot.expireMs > this.clock.nowMs() && holds(snapshot, message),
    );
  }

  #hold(message: Message): void {
    const holders = this.#holders.get(message.id) ?? 0;
    if (holders === 0) this.#tables.messages.put(message.id, message);
    this.#holders.set(message.id, holders + 1);
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
    // A hold of our own, so that nothing is written again or deleted before all have been asked.
    for (const id of messages.keys()) this.#holders.set(id, 1);
    const held = this.#tables.progress
      .load()
      .map(([key, progress]) => {
        const [subscription = '', messageId = ''] = key.split(' ');
        return { subscription, messageId, progress };
      })
      .sort((a, b) => (a.messageId < b.messageId ? -1 : 1));
    for (const { subscription, messageId, progress } of held) {
      const message = messages.get(messageId);
      if (message) this.#subscriptions.get(subscription)?.restore(message, progress);
    }
    for (const message of messages.values()) {
      this.#retained.offer(message);
      this.#release(message);
    }
  }
}

/** Whether the subscription could seek back to the message after acknowledging it. */
function retainsFor({ settings }: Subscription, message: Message, ageMs: number): boolean {
  return (
    settings.retainsAcked &&
    settings.topic === message.topic &&
    ageMs < settings.retentionMs &&
    message.id >= (settings.sinceId ?? '')
  );
}
