import { setTimeout as pause } from 'node:timers/promises';

import type { Identity } from '../identity/identity.ts';
import { Activity } from '../kernel/activity.ts';
import { Alarm } from '../kernel/alarm.ts';
import type { DeliveryFault } from '../kernel/delivery-faults.ts';
import type { Dispatcher } from '../kernel/dispatch.ts';
import type { Faults } from '../kernel/faults.ts';
import type { Journal } from '../kernel/journal.ts';
import { Backlog, type BacklogParts } from './backlog.ts';
import { type Filter, parseFilter } from './filter.ts';
import type { Message } from './message.ts';
import { type Consumer, deliveryOf, type Outstanding, type Progress } from './outstanding.ts';
import { isAcknowledged, pushRequest } from './push-request.ts';
import type { PushTarget, SubscriptionSettings } from './subscription-settings.ts';

/** A stream as the subscription sees it. */
export interface Stream extends Consumer {
  /** Sends what it has taken. */
  flush(): void;
  /** The subscription cannot be pulled from any more. */
  end(reason: 'deleted' | 'detached' | 'pushes' | 'closed'): void;
}

export interface SubscriptionParts extends BacklogParts {
  readonly journal: Journal;
  readonly identity: Identity;
  readonly dispatcher: Dispatcher;
  readonly faults: Faults;
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

/** One subscription at work: pushes what is unacknowledged or hands it out on pull. */
export class Subscription {
  readonly #parts: SubscriptionParts;
  readonly #backlog: Backlog;
  readonly #streams = new Set<Stream>();
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
    this.#backlog = new Backlog(parts, () => this.#settings);
    this.#alarm = new Alarm(parts.clock, () => this.#pump());
  }

  get settings(): SubscriptionSettings {
    return this.#settings;
  }

  get outstanding(): ReadonlyMap<string, Outstanding> {
    return this.#backlog.outstanding;
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
    if (settings.isDetached) this.#backlog.drop();
    this.#pump();
  }

  wants(message: Message): boolean {
    return !this.#settings.isDetached && this.#filter(message.attributes);
  }

  /** Takes in a published message, delivered at the earliest once it is on disk. */
  accept(message: Message): void {
    const item = this.#backlog.add(message, { attempts: 0, dueMs: this.#parts.clock.nowMs() });
    this.#backlog.keep(item);
    this.#deliverOnceFlushed([item]);
  }

  /** Takes back a message that was unacknowledged when the process ended; call it in order. */
  restore(message: Message, progress: Progress): void {
    this.#backlog.release(this.#backlog.add(message, progress));
    this.#pump();
  }

  /** Holds exactly these messages from now on, all of them undelivered and in this order. */
  seek(messages: readonly Message[], base: number): void {
    this.#deliverOnceFlushed(this.#backlog.replace(messages, base));
  }

  /** Leases up to `max` messages to a puller. */
  pull(max: number): Outstanding[] {
    this.#pump();
    const nowMs = this.#parts.clock.nowMs();
    const pulled: Outstanding[] = [];
    while (pulled.length < max) {
      // Of an ordering key, one pull gets several; the next pull none before those are done.
      let item = this.#backlog.takeDue(nowMs);
      if (!item) break;
      while (item && pulled.length < max) {
        this.#backlog.handOut(item, undefined, this.#settings.ackDeadlineMs);
        pulled.push(item);
        item = this.#backlog.following(item, nowMs);
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
    this.#backlog.disown(stream);
    this.#pump();
  }

  /** A stream has room again. */
  resume(): void {
    this.#pump();
  }

  /** Messages have left in one response. */
  bill(items: readonly Outstanding[]): void {
    this.#parts.onSent(items.map(({ message }) => message));
  }

  /** Late acknowledgements count too, as long as the message was not delivered again. */
  acknowledge(messageId: string, delivery: number): void {
    const item = this.#backlog.find(messageId, delivery);
    if (!item) return;
    this.#backlog.acknowledge(item);
    this.#pump();
  }

  /** A deadline of 0 is a negative acknowledgement. */
  modifyDeadline(messageId: string, delivery: number, deadlineMs: number): void {
    const item = this.#backlog.find(messageId, delivery);
    if (!item?.lease) return;
    if (deadlineMs > 0) this.#backlog.lease(item, deadlineMs);
    else this.#backlog.fail(item);
    this.#pump();
  }

  /** The subscription is deleted, and with it all it holds. */
  clear(): void {
    this.#endStreams('deleted');
    this.close();
    this.#backlog.drop();
  }

  close(): void {
    this.#endStreams('closed');
    this.#isClosed = true;
    this.#alarm.set(undefined);
  }

  #endStreams(reason: Parameters<Stream['end']>[0]): void {
    for (const stream of [...this.#streams]) {
      this.leave(stream);
      stream.end(reason);
    }
  }

  #deliverOnceFlushed(items: readonly Outstanding[]): void {
    void this.#activity.during(async () => {
      await this.#parts.journal.flushed();
      if (this.#streams.size > 0) await pause(STREAM_LATENCY_MS);
      for (const item of items) this.#backlog.release(item);
      this.#pump();
    });
  }

  /** Ends the leases that ran out, delivers what may go out now and sets the alarm for the rest. */
  #pump(): void {
    if (this.#isClosed) return;
    const nowMs = this.#parts.clock.nowMs();
    this.#backlog.endLeases(nowMs);
    const hasRoom = this.#settings.push ? this.#pumpPushes(nowMs) : this.#pumpStreams(nowMs);
    const nextMs = (hasRoom ? this.#backlog.nextDueMs : undefined) ?? Infinity;
    const wakeMs = Math.min(nextMs, this.#backlog.nextLeaseMs ?? Infinity);
    this.#alarm.set(wakeMs === Infinity ? undefined : wakeMs);
  }

  /** Starts what may be pushed; returns whether more could be. */
  #pumpPushes(nowMs: number): boolean {
    const { push } = this.#settings;
    while (push && this.#pushing < PUSHES_MAX) {
      const item = this.#backlog.takeDue(nowMs);
      if (!item) return true;
      const fault = this.#parts.faults.strikeDelivery('push', push.endpoint);
      if (fault?.kind === 'delay') this.#backlog.postpone(item, nowMs + fault.ms);
      else void this.#deliver(item, push, fault);
    }
    return false;
  }

  /** Hands messages to the streams in turn; returns whether one of them takes more. */
  #pumpStreams(nowMs: number): boolean {
    for (const stream of this.#streams)
      for (const item of this.#backlog.continuing(stream, nowMs)) this.#hand(item, stream, nowMs);
    let stream = this.#nextStream();
    while (stream) {
      const item = this.#backlog.takeDue(nowMs);
      if (!item) break;
      this.#hand(item, stream, nowMs);
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

  /** Hands over a message and, as far as there is room, those that follow it by its ordering key. */
  #hand(first: Outstanding, stream: Stream, nowMs: number): void {
    let item: Outstanding | undefined = first;
    while (item && stream.hasRoom) {
      this.#backlog.handOut(item, stream, stream.ackDeadlineMs);
      item = this.#backlog.following(item, nowMs);
    }
  }

  async #deliver(item: Outstanding, push: PushTarget, fault?: DeliveryFault): Promise<void> {
    this.#pushing++;
    this.#backlog.push(item);
    await this.#activity.during(() => this.#push(item, push, fault));
    this.#pushing--;
    this.#pump();
  }

  async #push(item: Outstanding, push: PushTarget, fault?: DeliveryFault): Promise<void> {
    const delivery = deliveryOf(item);
    const token = push.oidc && (await this.#parts.identity.tokenFor(push.oidc));
    const request = pushRequest(item.message, item.attempts, this.#settings, push, token);
    this.#parts.onSent([item.message]);
    const answer = await this.#parts.dispatcher.send({ ...request, fault });
    // Deleted, sought or shut down meanwhile.
    if (this.#isClosed || !this.#backlog.holds(item) || deliveryOf(item) !== delivery) return;
    if (isAcknowledged(answer)) this.#backlog.remove(item);
    else this.#backlog.fail(item, answer.kind === 'crashed');
  }
}
