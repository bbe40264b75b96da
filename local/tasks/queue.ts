import { Activity } from '../kernel/activity.ts';
import { Alarm } from '../kernel/alarm.ts';
import type { Clock } from '../kernel/clock.ts';
import { isSuccess, statusOf } from '../kernel/delivery-status.ts';
import type { DeliveryFault } from '../kernel/delivery-faults.ts';
import type { Delivery, Dispatcher } from '../kernel/dispatch.ts';
import { type DueEntry, DueQueue } from '../kernel/due-queue.ts';
import type { Faults } from '../kernel/faults.ts';
import type { Journal, Table } from '../kernel/journal.ts';
import type { Meter } from '../kernel/meter.ts';
import type { Identity } from '../identity/identity.ts';
import type { QueueSettings } from './queue-settings.ts';
import { isPushBack, nextTryMs } from './retry.ts';
import type { Task } from './task.ts';
import { taskRequest } from './task-request.ts';
import { type Level, TokenBucket } from './token-bucket.ts';

export interface QueueParts {
  readonly clock: Clock;
  readonly journal: Journal;
  readonly meter: Meter;
  readonly identity: Identity;
  readonly dispatcher: Dispatcher;
  readonly faults: Faults;
  readonly table: Table<Task>;
  readonly buckets: Table<Level>;
  /** A task is gone for good: its name is to be refused for a while. */
  readonly onGone: (task: Task) => void;
}

/** One queue at work: dispatches its tasks within its limits and tries the failed ones again. */
export class Queue {
  readonly #parts: QueueParts;
  readonly #tasks = new Map<string, Task>();
  readonly #due = new DueQueue<Task>();
  readonly #entries = new Map<string, DueEntry<Task>>();
  readonly #alarm: Alarm;
  readonly #activity = new Activity();
  #settings: QueueSettings;
  #bucket: TokenBucket;
  #dispatching = 0;
  #pushBacks = 0;
  #isPaused = false;
  #isClosed = false;

  /** @param level how full the token bucket was when the queue was last at work; full by default */
  constructor(parts: QueueParts, settings: QueueSettings, level?: Level) {
    this.#parts = parts;
    this.#settings = settings;
    this.#bucket = this.#newBucket(level);
    this.#alarm = new Alarm(parts.clock, () => this.#pump());
  }

  get settings(): QueueSettings {
    return this.#settings;
  }

  get tasks(): ReadonlyMap<string, Task> {
    return this.#tasks;
  }

  get isPaused(): boolean {
    return this.#isPaused;
  }

  /** Answers so far at which production would slow the whole queue down. */
  get pushBacks(): number {
    return this.#pushBacks;
  }

  /** Something is in flight or due at this moment. */
  get isBusy(): boolean {
    return this.#activity.isBusy || this.#alarm.isDue;
  }

  configure(settings: QueueSettings): void {
    const rateChanged =
      settings.maxDispatchesPerSecond !== this.#settings.maxDispatchesPerSecond ||
      settings.maxBurstSize !== this.#settings.maxBurstSize;
    this.#settings = settings;
    if (rateChanged) this.#bucket = this.#newBucket(this.#bucket.level);
    this.#pump();
  }

  pause(): void {
    this.#isPaused = true;
    this.#pump();
  }

  resume(): void {
    this.#isPaused = false;
    this.#pump();
  }

  /** Takes in a new task, dispatched at the earliest once it is on disk. */
  add(task: Task): void {
    this.#tasks.set(task.name, task);
    this.#parts.table.put(task.name, task);
    this.#dispatchOnceFlushed(task);
  }

  /** Takes back a task that was on disk when the process started. */
  restore(task: Task): void {
    this.#tasks.set(task.name, task);
    this.#schedule(task);
  }

  /** Forgets a task; an attempt under way goes on, to no effect. */
  remove(task: Task): void {
    this.#due.withdraw(this.#entries.get(task.name));
    this.#entries.delete(task.name);
    this.#tasks.delete(task.name);
    this.#parts.table.delete(task.name);
    this.#parts.onGone(task);
  }

  purge(): void {
    for (const task of [...this.#tasks.values()]) this.remove(task);
    this.#pump();
  }

  /** Dispatches now, whatever the schedule, the limits and the pause say. */
  run(task: Task): void {
    this.#due.withdraw(this.#entries.get(task.name));
    this.#entries.delete(task.name);
    task.scheduleMs = this.#parts.clock.nowMs();
    void this.#activity.during(async () => {
      await this.#parts.journal.flushed();
      await this.#attempt(task);
    });
  }

  close(): void {
    this.#isClosed = true;
    this.#alarm.set(undefined);
  }

  #newBucket(level: Level | undefined): TokenBucket {
    const { maxDispatchesPerSecond, maxBurstSize } = this.#settings;
    const full = { tokens: maxBurstSize, atMs: this.#parts.clock.nowMs() };
    return new TokenBucket(maxDispatchesPerSecond, maxBurstSize, level ?? full);
  }

  /** The task may have been deleted, or the queue closed, while something was awaited. */
  #has(task: Task): boolean {
    return !this.#isClosed && this.#tasks.get(task.name) === task;
  }

  #dispatchOnceFlushed(task: Task): void {
    void this.#activity.during(async () => {
      await this.#parts.journal.flushed();
      if (this.#has(task)) this.#schedule(task);
    });
  }

  #schedule(task: Task): void {
    this.#await(task, task.scheduleMs);
    this.#pump();
  }

  #await(task: Task, dueMs: number): void {
    this.#due.withdraw(this.#entries.get(task.name));
    this.#entries.set(task.name, this.#due.add(dueMs, task));
  }

  /** Starts what may start now and sets the alarm for the rest. */
  #pump(): void {
    if (this.#isClosed) return;
    const nowMs = this.#parts.clock.nowMs();
    let wakeMs: number | undefined;
    while (!this.#isPaused && this.#dispatching < this.#settings.maxConcurrentDispatches) {
      const first = this.#due.first();
      if (!first) break;
      const readyMs = first.dueMs > nowMs ? first.dueMs : this.#bucket.readyMs(nowMs);
      if (readyMs > nowMs) {
        wakeMs = readyMs;
        break;
      }
      this.#due.take(nowMs);
      this.#entries.delete(first.item.name);
      const fault = this.#parts.faults.strikeDelivery('task', first.item.url);
      if (fault?.kind === 'delay') {
        this.#await(first.item, nowMs + fault.ms);
        continue;
      }
      this.#bucket.take(nowMs);
      this.#parts.buckets.put(this.#settings.name, this.#bucket.level);
      void this.#dispatch(first.item, fault);
    }
    this.#alarm.set(wakeMs);
  }

  async #dispatch(task: Task, fault: DeliveryFault | undefined): Promise<void> {
    this.#dispatching++;
    await this.#activity.during(() => this.#attempt(task, fault));
    this.#dispatching--;
    this.#pump();
  }

  async #attempt(task: Task, fault?: DeliveryFault): Promise<void> {
    const { clock, meter, identity, dispatcher, table } = this.#parts;
    const token = task.oidc && (await identity.tokenFor(task.oidc));
    if (!this.#has(task)) return;
    const request = taskRequest(task, this.#settings.name, token);
    const attempt = { scheduleMs: task.scheduleMs, dispatchMs: clock.nowMs() };
    task.dispatchCount++;
    task.lastAttempt = attempt;
    task.firstAttempt ??= attempt;
    // Counted on disk beforehand, so that a task which kills the process uses up its attempts.
    table.put(task.name, task);
    meter.count('tasks');
    const delivery = await dispatcher.send({ ...request, fault });
    if (!this.#has(task)) return;
    this.#record(task, attempt, delivery);
    const nextMs = isSuccess(delivery)
      ? undefined
      : nextTryMs(task, this.#settings, delivery, clock.nowMs());
    if (nextMs === undefined) return this.remove(task);
    task.scheduleMs = nextMs;
    table.put(task.name, task);
    this.#schedule(task);
  }

  #record(task: Task, started: { scheduleMs: number; dispatchMs: number }, delivery: Delivery) {
    const status = statusOf(delivery);
    if (delivery.kind !== 'answered') {
      task.lastAttempt = { ...started, status };
      delete task.previousStatus;
      return;
    }
    task.responseCount++;
    if (isPushBack(delivery.status)) this.#pushBacks++;
    if (delivery.status < 500) task.executionCount++;
    task.previousStatus = delivery.status;
    task.lastAttempt = { ...started, status, responseMs: this.#parts.clock.nowMs() };
  }
}
