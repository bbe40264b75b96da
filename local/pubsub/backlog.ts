import type { Clock } from '../kernel/clock.ts';
import { DueQueue } from '../kernel/due-queue.ts';
import type { Table } from '../kernel/journal.ts';
import { KeyLines } from './key-lines.ts';
import type { Message } from './message.ts';
import { type Consumer, deliveryOf, hold, type Outstanding, type Progress } from './outstanding.ts';
import { redeliveryDelayMs } from './redelivery.ts';
import type { SubscriptionSettings } from './subscription-settings.ts';

export interface BacklogParts {
  readonly clock: Clock;
  readonly table: Table<Progress>;
  /** Publishes to the dead-letter topic; false when that topic does not exist. */
  readonly bury: (message: Message, settings: SubscriptionSettings, attempts: number) => boolean;
  /** This subscription needs the message from now on. */
  readonly onTaken: (message: Message) => void;
  /** This subscription needs the message no longer. */
  readonly onGone: (message: Message) => void;
}

/** What a subscription has not got acknowledged, and when each message of it may go out (again). */
export class Backlog {
  readonly #parts: BacklogParts;
  readonly #settings: () => SubscriptionSettings;
  readonly #outstanding = new Map<string, Outstanding>();
  #waiting = new DueQueue<Outstanding>();
  #leases = new DueQueue<Outstanding>();
  #lines = new KeyLines();

  constructor(parts: BacklogParts, settings: () => SubscriptionSettings) {
    this.#parts = parts;
    this.#settings = settings;
  }

  get outstanding(): ReadonlyMap<string, Outstanding> {
    return this.#outstanding;
  }

  /** When the next waiting message is due. */
  get nextDueMs(): number | undefined {
    return this.#waiting.first()?.dueMs;
  }

  /** When the next lease ends. */
  get nextLeaseMs(): number | undefined {
    return this.#leases.first()?.dueMs;
  }

  /** Takes a message in; it waits for `release()`. */
  add(message: Message, progress: Progress): Outstanding {
    const item = this.#join(hold(message, progress));
    this.#parts.onTaken(message);
    return item;
  }

  /** Holds exactly these messages from now on, none of them delivered; they wait for `release()`. */
  replace(messages: readonly Message[], base: number): Outstanding[] {
    const before = new Map(this.#outstanding);
    for (const item of before.values()) item.holder?.leave(item);
    this.#outstanding.clear();
    this.#waiting = new DueQueue();
    this.#leases = new DueQueue();
    this.#lines = new KeyLines();
    const dueMs = this.#parts.clock.nowMs();
    const items = messages.map((message) => {
      const known = before.get(message.id);
      before.delete(message.id);
      if (!known) this.#parts.onTaken(message);
      return this.#join(hold(message, { attempts: known?.attempts ?? 0, dueMs, base }));
    });
    for (const item of items) this.keep(item);
    for (const { message } of before.values()) this.#forget(message);
    return items;
  }

  /** The message is on disk and may be delivered. */
  release(item: Outstanding): void {
    item.isOnDisk = true;
    this.#wait(item);
  }

  keep(item: Outstanding): void {
    const { attempts, dueMs, base } = item;
    this.#parts.table.put(this.#keyOf(item.message), { attempts, dueMs, base });
  }

  holds(item: Outstanding): boolean {
    return this.#outstanding.get(item.message.id) === item;
  }

  /** The message, unless it was delivered again since. */
  find(messageId: string, delivery: number): Outstanding | undefined {
    const item = this.#outstanding.get(messageId);
    return item && deliveryOf(item) === delivery ? item : undefined;
  }

  /** The next deliverable message; drops those that have waited longer than messages are retained. */
  takeDue(nowMs: number): Outstanding | undefined {
    for (;;) {
      const item = this.#waiting.take(nowMs);
      if (!item) return undefined;
      item.entry = undefined;
      if (!this.#isExpired(item, nowMs)) return item;
      this.remove(item);
    }
  }

  /** The message of the same ordering key that may go out along with this one. */
  following(item: Outstanding, nowMs: number): Outstanding | undefined {
    if (!this.#isOrdered(item)) return undefined;
    const next = this.#lines.following(item);
    return next && this.#isReady(next, nowMs) ? next : undefined;
  }

  /** The next messages of the ordering keys that are a stream's. */
  continuing(consumer: Consumer, nowMs: number): Outstanding[] {
    return this.#lines.waitingFor(consumer).filter((item) => this.#isReady(item, nowMs));
  }

  /** Leases the message to a puller or a stream. */
  handOut(item: Outstanding, holder: Consumer | undefined, deadlineMs: number): void {
    item.attempts++;
    item.holder = holder;
    if (this.#isOrdered(item)) this.#lines.lend(item, holder);
    this.lease(item, deadlineMs);
    holder?.take(item);
  }

  /** The message goes out as a push, which ends by itself. */
  push(item: Outstanding): void {
    item.attempts++;
    if (this.#isOrdered(item)) this.#lines.lend(item, undefined);
    // Counted on disk beforehand, so that a message which kills the process uses up its attempts.
    this.keep(item);
  }

  lease(item: Outstanding, deadlineMs: number): void {
    this.#leases.withdraw(item.lease);
    item.dueMs = this.#parts.clock.nowMs() + deadlineMs;
    item.lease = this.#leases.add(item.dueMs, item);
    this.keep(item);
  }

  /** Puts off a message that was taken; it has not been attempted. */
  postpone(item: Outstanding, dueMs: number): void {
    item.dueMs = dueMs;
    this.#wait(item);
  }

  /** Of an ordering key, a message is done with only when all before it are. */
  acknowledge(item: Outstanding): void {
    if (!this.#isOrdered(item) || this.#lines.isOldest(item)) return this.remove(item);
    item.isAcked = true;
    this.#endLease(item);
  }

  remove(item: Outstanding): void {
    this.#waiting.withdraw(item.entry);
    this.#endLease(item);
    this.#outstanding.delete(item.message.id);
    this.#forget(item.message);
    if (!this.#isOrdered(item)) return;
    const next = this.#lines.leave(item);
    if (next?.isAcked) this.remove(next);
    else if (next) this.#wait(next);
  }

  /** An attempt came to nothing: dead-letters the message or has it wait for the next. */
  fail(item: Outstanding, targetCrashed = false): void {
    const nowMs = this.#parts.clock.nowMs();
    const settings = this.#settings();
    this.#endLease(item);
    if (this.#isExpired(item, nowMs)) return this.remove(item);
    const { deadLetter } = settings;
    const isSpent = deadLetter && item.attempts >= deadLetter.maxDeliveryAttempts;
    // A crashed target never costs a message its last attempt.
    if (isSpent && !targetCrashed)
      if (this.#parts.bury(item.message, settings, item.attempts)) return this.remove(item);
    if (this.#isOrdered(item)) for (const later of this.#lines.fail(item)) this.#recall(later);
    item.dueMs = nowMs + redeliveryDelayMs(settings, item.attempts);
    this.keep(item);
    this.#wait(item);
  }

  /** Fails what was leased for too short a time. */
  endLeases(nowMs: number): void {
    for (let late = this.#leases.take(nowMs); late; late = this.#leases.take(nowMs))
      this.fail(late);
  }

  /** A stream is gone; what it has stays leased. */
  disown(consumer: Consumer): void {
    this.#lines.disown(consumer);
  }

  drop(): void {
    for (const item of [...this.#outstanding.values()]) this.remove(item);
  }

  #join(item: Outstanding): Outstanding {
    this.#outstanding.set(item.message.id, item);
    if (this.#isOrdered(item)) this.#lines.join(item);
    return item;
  }

  #isOrdered(item: Outstanding): boolean {
    return this.#settings().isOrdered && item.message.orderingKey !== '';
  }

  #isReady(item: Outstanding, nowMs: number): boolean {
    return item.isOnDisk && item.dueMs <= nowMs;
  }

  #isExpired(item: Outstanding, nowMs: number): boolean {
    return nowMs - item.message.publishMs >= this.#settings().retentionMs;
  }

  #keyOf(message: Message): string {
    return `${this.#settings().name} ${message.id}`;
  }

  #forget(message: Message): void {
    this.#parts.table.delete(this.#keyOf(message));
    this.#parts.onGone(message);
  }

  /** Makes the message deliverable from its due time on, unless an earlier one of its key is not done. */
  #wait(item: Outstanding): void {
    if (!item.isOnDisk || item.entry || !this.holds(item)) return;
    if (this.#isOrdered(item) && !this.#lines.isFirst(item)) return;
    item.entry = this.#waiting.add(item.dueMs, item);
  }

  #endLease(item: Outstanding): void {
    this.#leases.withdraw(item.lease);
    item.lease = undefined;
    item.holder?.leave(item);
    item.holder = undefined;
  }

  /** An earlier message of its key has failed: it follows that one again, and its ack id is void. */
  #recall(item: Outstanding): void {
    this.#endLease(item);
    item.isAcked = false;
    item.base++;
    item.dueMs = this.#parts.clock.nowMs();
    this.keep(item);
  }
}
