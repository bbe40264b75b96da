import { RpcError } from '../kernel/grpc.ts';
import { checkQueueName, checkTaskName, queueOf } from './names.ts';
import { Queue, type QueueParts } from './queue.ts';
import { type QueueSettings, queueToWire } from './queue-settings.ts';
import type { Task } from './task.ts';
import type { Level } from './token-bucket.ts';
import type { WireQueue } from './wire.ts';

interface KeptQueue {
  readonly settings: QueueSettings;
  readonly isPaused: boolean;
}

export type StateParts = Omit<QueueParts, 'table' | 'buckets' | 'onGone'>;

/** How long the name of a finished or deleted task is refused. */
const TOMBSTONE_MS = 3_600_000;
/** How long the name of a deleted queue is refused. */
const QUEUE_TOMBSTONE_MS = 7 * 24 * 3_600_000;

/** All queues, and the names that may not be used again yet. Survives the process. */
export class TasksState {
  readonly clock: StateParts['clock'];
  readonly meter: StateParts['meter'];
  readonly #parts: StateParts;
  readonly #queues = new Map<string, Queue>();
  readonly #tombstones: Map<string, number>;
  readonly #deletedQueues: Map<string, number>;
  readonly #tables;

  constructor(parts: StateParts) {
    this.#parts = parts;
    this.clock = parts.clock;
    this.meter = parts.meter;
    this.#tables = {
      queues: parts.journal.table<KeptQueue>('tasks.queues'),
      tasks: parts.journal.table<Task>('tasks.tasks'),
      tombstones: parts.journal.table<number>('tasks.tombstones'),
      buckets: parts.journal.table<Level>('tasks.buckets'),
      deletedQueues: parts.journal.table<number>('tasks.deleted-queues'),
    };
    this.#deletedQueues = new Map(this.#tables.deletedQueues.load());
    const levels = new Map(this.#tables.buckets.load());
    this.#tombstones = new Map(this.#tables.tombstones.load().sort(([, a], [, b]) => a - b));
    for (const [, kept] of this.#tables.queues.load()) {
      const queue = this.#open(kept.settings, levels.get(kept.settings.name));
      if (kept.isPaused) queue.pause();
    }
    const tasks = this.#tables.tasks.load().map(([, task]) => task);
    for (const task of tasks.sort((a, b) => a.scheduleMs - b.scheduleMs))
      this.#queues.get(queueOf(task.name))?.restore(task);
  }

  get queues(): ReadonlyMap<string, Queue> {
    return this.#queues;
  }

  queue(name: string | null | undefined): Queue {
    const queue = this.#queues.get(checkQueueName(name));
    if (queue) return queue;
    throw new RpcError('NOT_FOUND', 'Queue does not exist.');
  }

  task(name: string | null | undefined): { queue: Queue; task: Task } {
    const taskName = checkTaskName(name);
    const queue = this.queue(queueOf(taskName));
    const task = queue.tasks.get(taskName);
    if (task) return { queue, task };
    throw new RpcError(
      'NOT_FOUND',
      this.isNameSpent(taskName)
        ? 'The task no longer exists, though a task with this name existed recently. The task either successfully completed or was deleted.'
        : 'Requested entity was not found.',
    );
  }

  create(settings: QueueSettings): Queue {
    if ((this.#deletedQueues.get(settings.name) ?? 0) > this.clock.nowMs())
      throw new RpcError(
        'FAILED_PRECONDITION',
        'The queue cannot be created because a queue with this name existed too recently.',
      );
    this.#deletedQueues.delete(settings.name);
    this.#tables.deletedQueues.delete(settings.name);
    const queue = this.#open(settings);
    this.keep(queue);
    return queue;
  }

  /** Writes the queue's settings and whether it is paused. */
  keep(queue: Queue): void {
    const { settings, isPaused } = queue;
    this.#tables.queues.put(settings.name, { settings, isPaused });
  }

  deleteQueue(queue: Queue): void {
    queue.purge();
    queue.close();
    this.#queues.delete(queue.settings.name);
    this.#tables.queues.delete(queue.settings.name);
    this.#tables.buckets.delete(queue.settings.name);
    const untilMs = this.clock.nowMs() + QUEUE_TOMBSTONE_MS;
    this.#deletedQueues.set(queue.settings.name, untilMs);
    this.#tables.deletedQueues.put(queue.settings.name, untilMs);
  }

  isNameSpent(taskName: string): boolean {
    return (this.#tombstones.get(taskName) ?? 0) > this.clock.nowMs();
  }

  wire(queue: Queue): WireQueue {
    return { ...queueToWire(queue.settings), state: queue.isPaused ? 'PAUSED' : 'RUNNING' };
  }

  close(): void {
    for (const queue of this.#queues.values()) queue.close();
  }

  #open(settings: QueueSettings, level?: Level): Queue {
    const parts = {
      ...this.#parts,
      table: this.#tables.tasks,
      buckets: this.#tables.buckets,
      onGone: (task: Task) => this.#bury(task),
    };
    const queue = new Queue(parts, settings, level);
    this.#queues.set(settings.name, queue);
    return queue;
  }

  #bury(task: Task): void {
    if (!task.isNamed) return;
    const nowMs = this.clock.nowMs();
    for (const [name, untilMs] of this.#tombstones) {
      if (untilMs > nowMs) break;
      this.#tombstones.delete(name);
      this.#tables.tombstones.delete(name);
    }
    this.#tombstones.delete(task.name);
    this.#tombstones.set(task.name, nowMs + TOMBSTONE_MS);
    this.#tables.tombstones.put(task.name, nowMs + TOMBSTONE_MS);
  }
}
