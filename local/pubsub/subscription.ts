import { setTimeout as pause } from 'node:timers/promises';

import type { Identity } from '../identity/identity.ts';
import { Activity } from '../kernel/activity.ts';
import { Alarm } from '../kernel/alarm.ts';
import type { Clock } from '../kernel/clock.ts';
import type { DeliveryFault } from '../kernel/delivery-faults.ts';
import type { Dispatcher } from '../kernel/dispatch.ts';
import { DueQueue } from '../kernel/due-queue.ts';
import type { Faults } from '../kernel/faults.ts';
import type { Journal, Table } from '../kernel/journal.ts';
import { type Filter, parseFilter } from './filter.ts';
import { KeyLines } from './key-lines.ts';
import type { Message } from './message.ts';
import { type Consumer, deliveryOf, hold, type Outstanding, type Progress } from './outstanding.ts';
import { isAcknowledged, pushRequest } from './push-request.ts';
import { redeliveryDelayMs } from './redelivery.ts';
import type { PushTarget, SubscriptionSettings } from './subscription-settings.ts';

/** A stream as the subscription sees it. */
export interface Stream extends Consumer {
  /** Sends what it has taken. */
  flush(): void;
  /** The subscription cannot be pulled from any more. */
  end(reason: 'deleted' | 'detached' | 'pushes' | 'closed'): void;
}

export interface SubscriptionParts {
  readonly clock: Clock;
  readonly journal: Journal;
  readonly identity: Identity;
  readonly dispatcher: Dispatcher;
  readonly faults: Faults;
  readonly table: Table<Progress>;
  /** Publishes to the dead-letter topic; false when that topic does not exist. */
  readonly bury: (message: Message, settings: SubscriptionSettings, attempts: number) => boolean;
  /** This subscription needs the message from now on. */
  readonly onTaken: (message: Message) => void;
  /** This subscription needs the message no longer. */
  readonly onGone: (message: Message) => void;
  /** Messages leave in one request: what production bills. */
  readonly onSent: (messages: readonly Message[]) => void;
}

/**
 * Real time from publication to a stream, less than production ever takes: publishers have their answer
 * before subscribers have the message, on which Google's own tests rely.
 */
const STREAM_LATENCY_MS = 10;

/** Requests in flight per subscription; production starts with fewer and grows to more. */
const PUSHES_MAX = 100;

/** One subscription at work: holds what is unacknowledged, pushes it or hands it out on pull. */
export class Subscription {
  readonly #parts: SubscriptionParts;
  readonly #outstanding = new Map<string, Outstanding>();
  readonly #streams = new Set<Stream>();
  readonly #alarm: Alarm;
  readonly #activity = new Activity();
  #waiting = new DueQueue<Outstanding>();
  #leases = new DueQueue<Outstanding>();
  #lines = new KeyLines();
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
    if (settings.isDetached) this.#endStreams('detached');
    else if (settings.push) this.#endStreams('pushes');
    if (settings.isDetached) this.#drop();
    this.#pump();
  }

  wants(message: Message): boolean {
    return !this.#settings.isDetached && this.#filter(message.attributes);
  }

  /** Takes in a published message, delivered at the earliest once it is on disk. */
  accept(message: Message): void {
    const item = this.#add(hold(message, { attempts: 0, dueMs: this.#parts.clock.nowMs() }));
    this.#parts.onTaken(message);
    this.#keep(item);
    this.#deliverOnceFlushed([item]);
  }

  /** Takes back a message that was unacknowledged when the process ended; call it in order. */
  restore(message: Message, progress: Progress): void {
    const item = this.#add(hold(message, progress));
    this.#parts.onTaken(message);
    item.isOnDisk = true;
    this.#wait(item);
    this.#pump();
  }

  /** Holds exactly these messages from now on, all of them undelivered and in this order. */
  seek(messages: readonly Message[], base: number): void {
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
      return this.#add(hold(message, { attempts: known?.attempts ?? 0, dueMs, base }));
    });
    for (const item of items) this.#keep(item);
    for (const { message } of before.values()) this.#forget(message);
    this.#deliverOnceFlushed(items);
  }

  /** Leases up to `max` messages to a puller. */
  pull(max: number): Outstanding[] {
    this.#pump();
    const nowMs = this.#parts.clock.nowMs();
    const pulled: Outstanding[] = [];
    const take = (item: Outstanding) => {
      this.#handOut(item, undefined, this.#settings.ackDeadlineMs);
      pulled.push(item);
    };
    while (pulled.length < max) {
      const item = this.#takeWaiting(nowMs);
      if (!item) break;
      take(item);
      // Of an ordering key, one pull gets several; the next pull none before those are done.
      while (pulled.length < max) {
        const next = this.#following(item, nowMs);
        if (!next) break;
        take(next);
      }
    }
    if (pulled.length > 0) this.bill(pulled);
    this.#pump();
    return pulled;
  }

  /** A stream takes messages from now on. */
  open(stream: Stream): void {
    this.#streams.add(stream);
    this.#pump();
  }

  /** The stream takes no more; what it has is delivered again when its lease ends. */
  leave(stream: Stream): void {
    if (!this.#streams.delete(stream)) return;
    this.#lines.disown(stream);
    this.#pump();
  }

  /** Late acknowledgements count too, as long as the message was not delivered again. */
  acknowledge(messageId: string, delivery: number): void {
    const item = this.#outstanding.get(messageId);
    if (!item || deliveryOf(item) !== delivery) return;
    if (this.#isOrdered(item) && !this.#lines.isOldest(item)) {
      item.isAcked = true;
      this.#endLease(item);
    } else this.#remove(item);
    this.#pump();
  }

  /** A deadline of 0 is a negative acknowledgement. */
  modifyDeadline(messageId: string, delivery: number, deadlineMs: number): void {
    const item = this.#outstanding.get(messageId);
    if (!item?.lease || deliveryOf(item) !== delivery) return;
    if (deadlineMs > 0) this.#lease(item, deadlineMs);
    else this.#fail(item);
    this.#pump();
  }

  /** Messages have left in one response of a stream. */
  bill(items: readonly Outstanding[]): void {
    this.#parts.onSent(items.map(({ message }) => message));
  }

  /** A stream has room again. */
  resume(): void {
    this.#pump();
  }

  /** The subscription is deleted, and with it all it holds. */
  clear(): void {
    this.#endStreams('deleted');
    this.close();
    this.#drop();
  }

  close(): void {
    this.#endStreams('closed');
    this.#isClosed = true;
    this.#alarm.set(undefined);
  }

  #drop(): void {
    for (const item of [...this.#outstanding.values()]) this.#remove(item);
  }

  #endStreams(reason: Parameters<Stream['end']>[0]): void {
    for (const stream of [...this.#streams]) {
      this.leave(stream);
      stream.end(reason);
    }
  }

  #add(item: Outstanding): Outstanding {
    this.#outstanding.set(item.message.id, item);
    if (this.#isOrdered(item)) this.#lines.join(item);
    return item;
  }

  #isOrdered(item: Outstanding): boolean {
    return this.#settings.isOrdered && item.message.orderingKey !== '';
  }

  #keyOf(message: Message): string {
    return `${this.#settings.name} ${message.id}`;
  }

  #keep(item: Outstanding): void {
    const { attempts, dueMs, base } = item;
    this.#parts.table.put(this.#keyOf(item.message), { attempts, dueMs, base });
  }

  #deliverOnceFlushed(items: readonly Outstanding[]): void {
    void this.#activity.during(async () => {
      await this.#parts.journal.flushed();
      if (this.#streams.size > 0) await pause(STREAM_LATENCY_MS);
      for (const item of items) {
        item.isOnDisk = true;
        this.#wait(item);
      }
      this.#pump();
    });
  }

  #isHeld(item: Outstanding): boolean {
    return this.#outstanding.get(item.message.id) === item;
  }

  /** Makes the message deliverable from its due time on, unless an earlier one of its key is not done. */
  #wait(item: Outstanding): void {
    if (!item.isOnDisk || item.entry || !this.#isHeld(item)) return;
    if (this.#isOrdered(item) && !this.#lines.isFirst(item)) return;
    item.entry = this.#waiting.add(item.dueMs, item);
  }

  /** The next deliverable message; drops those that have waited longer than messages are retained. */
  #takeWaiting(nowMs: number): Outstanding | undefined {
    for (;;) {
      const item = this.#waiting.take(nowMs);
      if (!item) return undefined;
      item.entry = undefined;
      if (!this.#isExpired(item, nowMs)) return item;
      this.#remove(item);
    }
  }

  /** The message of the same ordering key that may go out along with this one. */
  #following(item: Outstanding, nowMs: number): Outstanding | undefined {
    if (!this.#isOrdered(item)) return undefined;
    const next = this.#lines.following(item);
    return next?.isOnDisk && next.dueMs <= nowMs ? next : undefined;
  }

  #isExpired(item: Outstanding, nowMs: number): boolean {
    return nowMs - item.message.publishMs >= this.#settings.retentionMs;
  }

  #handOut(item: Outstanding, holder: Consumer | undefined, deadlineMs: number): void {
    item.attempts++;
    item.holder = holder;
    if (this.#isOrdered(item)) this.#lines.lend(item, holder);
    this.#lease(item, deadlineMs);
    holder?.take(item);
  }

  #lease(item: Outstanding, deadlineMs: number): void {
    this.#leases.withdraw(item.lease);
    item.dueMs = this.#parts.clock.nowMs() + deadlineMs;
    item.lease = this.#leases.add(item.dueMs, item);
    this.#keep(item);
  }

  #endLease(item: Outstanding): void {
    this.#leases.withdraw(item.lease);
    item.lease = undefined;
    item.holder?.leave(item);
    item.holder = undefined;
  }

  #forget(message: Message): void {
    this.#parts.table.delete(this.#keyOf(message));
    this.#parts.onGone(message);
  }

  #remove(item: Outstanding): void {
    this.#waiting.withdraw(item.entry);
    this.#endLease(item);
    this.#outstanding.delete(item.message.id);
    this.#forget(item.message);
    if (!this.#isOrdered(item)) return;
    const next = this.#lines.leave(item);
    if (next?.isAcked) this.#remove(next);
    else if (next) this.#wait(next);
  }

  /** An attempt came to nothing: dead-letters the message or has it wait for the next. */
  #fail(item: Outstanding, targetCrashed = false): void {
    const nowMs = this.#parts.clock.nowMs();
    const { deadLetter } = this.#settings;
    this.#endLease(item);
    if (this.#isExpired(item, nowMs)) return this.#remove(item);
    const isSpent = deadLetter && item.attempts >= deadLetter.maxDeliveryAttempts;
    // A crashed target never costs a message its last attempt.
    if (isSpent && !targetCrashed)
      if (this.#parts.bury(item.message, this.#settings, item.attempts)) return this.#remove(item);
    if (this.#isOrdered(item)) for (const later of this.#lines.fail(item)) this.#recall(later);
    item.dueMs = nowMs + redeliveryDelayMs(this.#settings, item.attempts);
    this.#keep(item);
    this.#wait(item);
  }

  /** An earlier message of its key has failed: it follows that one again, and its ack id is void. */
  #recall(item: Outstanding): void {
    this.#endLease(item);
    item.isAcked = false;
    item.base++;
    item.dueMs = this.#parts.clock.nowMs();
    this.#keep(item);
  }

  /** Ends the leases that ran out, delivers what may go out now and sets the alarm for the rest. */
  #pump(): void {
    if (this.#isClosed) return;
    const nowMs = this.#parts.clock.nowMs();
    for (let late = this.#leases.take(nowMs); late; late = this.#leases.take(nowMs))
      this.#fail(late);
    const hasRoom = this.#settings.push ? this.#pumpPushes(nowMs) : this.#pumpStreams(nowMs);
    const nextMs = hasRoom ? this.#waiting.first()?.dueMs : undefined;
    const wakeMs = Math.min(nextMs ?? Infinity, this.#leases.first()?.dueMs ?? Infinity);
    this.#alarm.set(wakeMs === Infinity ? undefined : wakeMs);
  }

  /** Starts what may be pushed; returns whether more could be. */
  #pumpPushes(nowMs: number): boolean {
    const { push } = this.#settings;
    while (push && this.#pushing < PUSHES_MAX) {
      const item = this.#takeWaiting(nowMs);
      if (!item) return true;
      const fault = this.#parts.faults.strikeDelivery('push', push.endpoint);
      if (fault?.kind === 'delay') {
        item.dueMs = nowMs + fault.ms;
        this.#wait(item);
      } else void this.#deliver(item, push, fault);
    }
    return false;
  }

  /** Hands messages to the streams in turn; returns whether one of them takes more. */
  #pumpStreams(nowMs: number): boolean {
    for (const stream of this.#streams) this.#continue(stream, nowMs);
    let stream = this.#nextStream();
    while (stream) {
      const item = this.#takeWaiting(nowMs);
      if (!item) break;
      this.#handOut(item, stream, stream.ackDeadlineMs);
      this.#continue(stream, nowMs);
      // Its turn comes again after all others.
      this.#streams.delete(stream);
      this.#streams.add(stream);
      stream = this.#nextStream();
    }
    for (const each of this.#streams) each.flush();
    return stream !== undefined;
  }

  #nextStream(): Stream | undefined {
    for (const stream of this.#streams) if (stream.hasRoom) return stream;
    return undefined;
  }

  /** Goes on with the ordering keys that are the stream's. */
  #continue(stream: Stream, nowMs: number): void {
    for (const first of this.#lines.waitingFor(stream)) {
      let next: Outstanding | undefined = first;
      while (next?.isOnDisk && next.dueMs <= nowMs && stream.hasRoom) {
        this.#handOut(next, stream, stream.ackDeadlineMs);
        next = this.#following(next, nowMs);
      }
    }
  }

  async #deliver(item: Outstanding, push: PushTarget, fault?: DeliveryFault): Promise<void> {
    this.#pushing++;
    if (this.#isOrdered(item)) this.#lines.lend(item, undefined);
    await this.#activity.during(() => this.#push(item, push, fault));
    this.#pushing--;
    this.#pump();
  }

  async #push(item: Outstanding, push: PushTarget, fault?: DeliveryFault): Promise<void> {
    item.attempts++;
    const delivery = deliveryOf(item);
    // Counted on disk beforehand, so that a message which kills the process uses up its attempts.
    this.#keep(item);
    const token = push.oidc && (await this.#parts.identity.tokenFor(push.oidc));
    const request = pushRequest(item.message, item.attempts, this.#settings, push, token);
    this.#parts.onSent([item.message]);
    const answer = await this.#parts.dispatcher.send({ ...request, fault });
    // Deleted, sought or shut down meanwhile.
    if (this.#isClosed || !this.#isHeld(item) || deliveryOf(item) !== delivery) return;
    if (isAcknowledged(answer)) this.#remove(item);
    else this.#fail(item, answer.kind === 'crashed');
  }
}
