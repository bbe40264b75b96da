import type { Identity } from '../identity/identity.ts';
import { Activity } from '../kernel/activity.ts';
import { Alarm } from '../kernel/alarm.ts';
import type { Clock } from '../kernel/clock.ts';
import type { Dispatcher } from '../kernel/dispatch.ts';
import { type DueEntry, DueQueue } from '../kernel/due-queue.ts';
import type { Journal, Table } from '../kernel/journal.ts';
import { type Filter, parseFilter } from './filter.ts';
import { KeyOrder } from './key-order.ts';
import type { Message } from './message.ts';
import { isAcknowledged, pushRequest } from './push-request.ts';
import { redeliveryDelayMs } from './redelivery.ts';
import type { PushTarget, SubscriptionSettings } from './subscription-settings.ts';

/** How far the delivery of one message has come, as kept on disk. */
export interface Progress {
  readonly attempts: number;
  readonly dueMs: number;
}

/** A message that the subscriber has not acknowledged yet. */
export interface Outstanding {
  readonly message: Message;
  attempts: number;
  /** When it is delivered next, or when the present lease ends. */
  dueMs: number;
  entry?: DueEntry<Outstanding> | undefined;
  lease?: DueEntry<Outstanding> | undefined;
  isOnDisk: boolean;
}

export interface SubscriptionParts {
  readonly clock: Clock;
  readonly journal: Journal;
  readonly identity: Identity;
  readonly dispatcher: Dispatcher;
  readonly table: Table<Progress>;
  /** Publishes to the dead-letter topic; false when that topic does not exist. */
  readonly bury: (message: Message, settings: SubscriptionSettings, attempts: number) => boolean;
  /** This subscription needs the message no longer. */
  readonly onGone: (message: Message) => void;
}

/** Requests in flight per subscription; production starts with fewer and grows to more. */
const PUSHES_MAX = 100;

/** One subscription at work: holds what is unacknowledged, pushes it or hands it out on pull. */
export class Subscription {
  readonly #parts: SubscriptionParts;
  readonly #outstanding = new Map<string, Outstanding>();
  readonly #waiting = new DueQueue<Outstanding>();
  readonly #leases = new DueQueue<Outstanding>();
  readonly #keys = new KeyOrder<Outstanding>();
  readonly #alarm: Alarm;
  readonly #activity = new Activity();
  #settings: SubscriptionSettings;
  #filter: Filter;
  #pushing = 0;
  #isClosed = false;

  constructor(parts: SubscriptionParts, settings: SubscriptionSettings) {
    this.#parts = parts;
    this.#settings = settings;
    this.#filter = parseFilter(settings.filter);
    this.#alarm = new Alarm(parts.clock, () => this.#pump());
  }

  get settings(): SubscriptionSettings {
    return this.#settings;
  }

  get outstanding(): ReadonlyMap<string, Outstanding> {
    return this.#outstanding;
  }

  /** Something is in flight or due at this moment. */
  get isBusy(): boolean {
    return this.#activity.isBusy || this.#alarm.isDue;
  }

  configure(settings: SubscriptionSettings): void {
    this.#settings = settings;
    this.#filter = parseFilter(settings.filter);
    this.#pump();
  }

  wants(message: Message): boolean {
    return this.#filter(message.attributes);
  }

  /** Takes in a published message, delivered at the earliest once it is on disk. */
  accept(message: Message): void {
    const item = this.#hold(message, { attempts: 0, dueMs: this.#parts.clock.nowMs() });
    this.#keep(item);
    void this.#activity.during(async () => {
      await this.#parts.journal.flushed();
      item.isOnDisk = true;
      this.#wait(item);
      this.#pump();
    });
  }

  /** Takes back a message that was unacknowledged when the process ended; call it in order. */
  restore(message: Message, progress: Progress): void {
    const item = this.#hold(message, progress);
    item.isOnDisk = true;
    this.#wait(item);
    this.#pump();
  }

  /** Leases up to `max` messages to a puller. */
  pull(max: number): Outstanding[] {
    this.#pump();
    const nowMs = this.#parts.clock.nowMs();
    const pulled: Outstanding[] = [];
    while (pulled.length < max) {
      const item = this.#waiting.take(nowMs);
      if (!item) break;
      item.entry = undefined;
      item.attempts++;
      this.#lease(item, this.#settings.ackDeadlineMs);
      pulled.push(item);
    }
    this.#pump();
    return pulled;
  }

  /** Late acknowledgements count too, as long as the message was not delivered again. */
  acknowledge(messageId: string, attempt: number): void {
    const item = this.#outstanding.get(messageId);
    if (item?.attempts === attempt) this.#remove(item);
  }

  /** A deadline of 0 is a negative acknowledgement. */
  modifyDeadline(messageId: string, attempt: number, deadlineMs: number): void {
    const item = this.#outstanding.get(messageId);
    if (item?.attempts !== attempt || !item.lease) return;
    this.#leases.withdraw(item.lease);
    if (deadlineMs > 0) this.#lease(item, deadlineMs);
    else this.#fail(item);
    this.#pump();
  }

  /** The subscription is deleted, and with it all it holds. */
  clear(): void {
    this.close();
    for (const item of [...this.#outstanding.values()]) this.#remove(item);
  }

  close(): void {
    this.#isClosed = true;
    this.#alarm.set(undefined);
  }

  #hold(message: Message, progress: Progress): Outstanding {
    const item = { message, ...progress, isOnDisk: false };
    this.#outstanding.set(message.id, item);
    if (this.#isOrdered(item)) this.#keys.join(message.orderingKey, item);
    return item;
  }

  #isOrdered(item: Outstanding): boolean {
    return this.#settings.isOrdered && item.message.orderingKey !== '';
  }

  #keep(item: Outstanding): void {
    const { attempts, dueMs } = item;
    this.#parts.table.put(`${this.#settings.name} ${item.message.id}`, { attempts, dueMs });
  }

  /** Makes the message deliverable from its due time on, unless an earlier one of its key is not done. */
  #wait(item: Outstanding): void {
    if (!item.isOnDisk || this.#outstanding.get(item.message.id) !== item) return;
    if (this.#isOrdered(item) && !this.#keys.isFirst(item.message.orderingKey, item)) return;
    item.entry = this.#waiting.add(item.dueMs, item);
  }

  #lease(item: Outstanding, deadlineMs: number): void {
    item.dueMs = this.#parts.clock.nowMs() + deadlineMs;
    item.lease = this.#leases.add(item.dueMs, item);
    this.#keep(item);
  }

  #remove(item: Outstanding): void {
    this.#waiting.withdraw(item.entry);
    this.#leases.withdraw(item.lease);
    this.#outstanding.delete(item.message.id);
    this.#parts.table.delete(`${this.#settings.name} ${item.message.id}`);
    this.#parts.onGone(item.message);
    if (!this.#isOrdered(item)) return;
    const next = this.#keys.leave(item.message.orderingKey, item);
    if (next) this.#wait(next);
    this.#pump();
  }

  /** An attempt came to nothing: dead-letters the message or has it wait for the next. */
  #fail(item: Outstanding, targetCrashed = false): void {
    const nowMs = this.#parts.clock.nowMs();
    const { deadLetter, retentionMs } = this.#settings;
    item.lease = undefined;
    if (nowMs - item.message.publishMs >= retentionMs) return this.#remove(item);
    const isSpent = deadLetter && item.attempts >= deadLetter.maxDeliveryAttempts;
    // A crashed target never costs a message its last attempt.
    if (isSpent && !targetCrashed)
      if (this.#parts.bury(item.message, this.#settings, item.attempts)) return this.#remove(item);
    item.dueMs = nowMs + redeliveryDelayMs(this.#settings, item.attempts);
    this.#keep(item);
    this.#wait(item);
  }

  /** Ends the leases that ran out, starts what may be pushed now and sets the alarm for the rest. */
  #pump(): void {
    if (this.#isClosed) return;
    const nowMs = this.#parts.clock.nowMs();
    for (let late = this.#leases.take(nowMs); late; late = this.#leases.take(nowMs))
      this.#fail(late);
    let wakeMs = this.#leases.first()?.dueMs;
    const { push } = this.#settings;
    while (push && this.#pushing < PUSHES_MAX) {
      const item = this.#waiting.take(nowMs);
      if (!item) {
        wakeMs = Math.min(wakeMs ?? Infinity, this.#waiting.first()?.dueMs ?? Infinity);
        break;
      }
      item.entry = undefined;
      void this.#deliver(item, push);
    }
    this.#alarm.set(wakeMs === Infinity ? undefined : wakeMs);
  }

  async #deliver(item: Outstanding, push: PushTarget): Promise<void> {
    this.#pushing++;
    await this.#activity.during(() => this.#push(item, push));
    this.#pushing--;
    this.#pump();
  }

  async #push(item: Outstanding, push: PushTarget): Promise<void> {
    item.attempts++;
    // Counted on disk beforehand, so that a message which kills the process uses up its attempts.
    this.#keep(item);
    const token = push.oidc && (await this.#parts.identity.tokenFor(push.oidc));
    const request = pushRequest(item.message, item.attempts, this.#settings, push, token);
    const delivery = await this.#parts.dispatcher.send(request);
    if (this.#isClosed || this.#outstanding.get(item.message.id) !== item) return;
    if (isAcknowledged(delivery)) this.#remove(item);
    else this.#fail(item, delivery.kind === 'crashed');
  }
}
