import { RpcError } from '../kernel/grpc.ts';
import { nextRunMs } from './cron.ts';
import { checkJobName, type Job, type JobSettings } from './job.ts';
import { Worker, type WorkerParts } from './worker.ts';

export type StateParts = Omit<WorkerParts, 'keep'>;

/** All jobs. Survives the process. */
export class SchedulerState {
  readonly #parts: StateParts;
  readonly #table;
  readonly #workers = new Map<string, Worker>();

  constructor(parts: StateParts) {
    this.#parts = parts;
    this.#table = parts.journal.table<Job>('scheduler.jobs');
    for (const [, job] of this.#table.load()) this.#open(job);
  }

  get workers(): ReadonlyMap<string, Worker> {
    return this.#workers;
  }

  worker(name: string | null | undefined): Worker {
    const worker = this.#workers.get(checkJobName(name));
    if (worker) return worker;
    throw new RpcError('NOT_FOUND', 'Job not found.');
  }

  create(settings: JobSettings): Job {
    const nowMs = this.#parts.clock.nowMs();
    const job: Job = {
      settings,
      isPaused: false,
      updateMs: nowMs,
      nextRunMs: nextRunMs(settings.schedule, settings.timeZone, nowMs),
    };
    this.#keep(job);
    this.#open(job);
    return job;
  }

  delete(worker: Worker): void {
    const { name } = worker.job.settings;
    worker.close();
    this.#workers.delete(name);
    this.#table.delete(name);
  }

  close(): void {
    for (const worker of this.#workers.values()) worker.close();
  }

  #keep(job: Job): void {
    this.#table.put(job.settings.name, job);
  }

  #open(job: Job): void {
    const worker = new Worker({ ...this.#parts, keep: (kept) => this.#keep(kept) }, job);
    this.#workers.set(job.settings.name, worker);
    worker.begin();
  }
}
