import type { Identity } from '../identity/identity.ts';
import { Activity } from '../kernel/activity.ts';
import { Alarm } from '../kernel/alarm.ts';
import type { Clock } from '../kernel/clock.ts';
import { isSuccess, statusOf } from '../kernel/delivery-status.ts';
import type { Dispatcher } from '../kernel/dispatch.ts';
import type { Faults } from '../kernel/faults.ts';
import type { Journal } from '../kernel/journal.ts';
import { nextRunMs } from './cron.ts';
import type { Execution, Job, JobSettings } from './job.ts';
import { jobRequest } from './job-request.ts';
import { nextTry } from './retry.ts';

export interface WorkerParts {
  readonly clock: Clock;
  readonly journal: Journal;
  readonly identity: Identity;
  readonly dispatcher: Dispatcher;
  readonly faults: Faults;
  /** Writes the job. */
  readonly keep: (job: Job) => void;
}

/** One job at work. It never has two executions at a time: a run that comes meanwhile waits. */
export class Worker {
  readonly job: Job;
  readonly #parts: WorkerParts;
  readonly #alarm: Alarm;
  readonly #activity = new Activity();
  #isAttempting = false;
  #isClosed = false;

  constructor(parts: WorkerParts, job: Job) {
    this.job = job;
    this.#parts = parts;
    this.#alarm = new Alarm(parts.clock, () => this.#start());
  }

  /** An attempt is in flight or due at this moment. */
  get isBusy(): boolean {
    return this.#activity.isBusy || this.#alarm.isDue;
  }

  /** Begins to work, once the job is on disk. A run missed while nothing ran is made up for, once. */
  begin(): void {
    this.#onceFlushed(() => this.#wait());
  }

  configure(settings: JobSettings): void {
    this.job.settings = settings;
    this.job.execution = undefined;
    this.#plan();
  }

  pause(): void {
    this.job.isPaused = true;
    this.job.execution = undefined;
    this.#plan();
  }

  /** What was missed during the pause is not made up for. */
  resume(): void {
    this.job.isPaused = false;
    this.#plan();
  }

  /** Runs now, even when paused; the schedule goes on as before. */
  run(): void {
    if (this.#isAttempting) return;
    const nowMs = this.#parts.clock.nowMs();
    const execution = this.#newExecution(nowMs);
    this.job.execution = execution;
    this.#parts.keep(this.job);
    this.#onceFlushed(() => {
      if (this.job.execution === execution) this.#start();
    });
  }

  close(): void {
    this.#isClosed = true;
    this.#alarm.set(undefined);
  }

  #onceFlushed(work: () => void): void {
    void this.#activity.during(async () => {
      await this.#parts.journal.flushed();
      if (!this.#isClosed) work();
    });
  }

  #newExecution(scheduledMs: number): Execution {
    const nowMs = this.#parts.clock.nowMs();
    return { scheduledMs, startMs: nowMs, failures: 0, nextAttemptMs: nowMs };
  }

  /** Finds the next run of the schedule, from now on. */
  #plan(): void {
    const { schedule, timeZone } = this.job.settings;
    const nowMs = this.#parts.clock.nowMs();
    this.job.nextRunMs = nextRunMs(schedule, timeZone, nowMs);
    this.job.updateMs = nowMs;
    this.#parts.keep(this.job);
    this.#wait();
  }

  #wait(): void {
    if (this.#isClosed || this.#isAttempting) return;
    const { execution, isPaused } = this.job;
    const scheduledMs = isPaused ? undefined : this.job.nextRunMs;
    this.#alarm.set(execution?.nextAttemptMs ?? scheduledMs);
  }

  #start(): void {
    if (this.#isClosed || this.#isAttempting) return;
    const execution = this.job.execution ?? this.#takeRun();
    if (execution) void this.#activity.during(() => this.#attempt(execution));
  }

  /** Turns the due run into an execution; the schedule goes on from now. */
  #takeRun(): Execution | undefined {
    const { nextRunMs: scheduledMs, settings } = this.job;
    if (scheduledMs === undefined) return undefined;
    this.job.nextRunMs = nextRunMs(settings.schedule, settings.timeZone, this.#parts.clock.nowMs());
    this.job.execution = this.#newExecution(scheduledMs);
    return this.job.execution;
  }

  async #attempt(execution: Execution): Promise<void> {
    const { clock, identity, dispatcher, keep } = this.#parts;
    const { job } = this;
    const fault = this.#parts.faults.strikeDelivery('job', job.settings.url);
    if (fault?.kind === 'delay') {
      job.execution = { ...execution, nextAttemptMs: clock.nowMs() + fault.ms };
      return this.#wait();
    }
    this.#isAttempting = true;
    this.#alarm.set(undefined);
    job.lastAttemptMs = clock.nowMs();
    keep(job);
    const { oidc } = job.settings;
    const token = oidc && (await identity.tokenFor(oidc));
    const request = jobRequest(job.settings, execution.scheduledMs, token);
    const delivery = await dispatcher.send({ ...request, fault });
    this.#isAttempting = false;
    if (this.#isClosed) return;
    job.status = statusOf(delivery);
    // Updated or paused meanwhile: that has ended this execution.
    if (job.execution === execution)
      job.execution = isSuccess(delivery)
        ? undefined
        : nextTry(job, execution, delivery, clock.nowMs());
    keep(job);
    this.#wait();
  }
}
