/*
 * Cloud Scheduler (google.cloud.scheduler.v1) with HTTP targets.
 *
 * Not imitated, answers UNIMPLEMENTED: Pub/Sub and App Engine targets, OAuth tokens; CreateJob refuses
 * App Engine's English-like schedules ("every 5 minutes") with INVALID_ARGUMENT. Redirects are not
 * followed. RunJob while an attempt is in flight is not queued. A run missed while the embedded cloud
 * was down is made up for once at the next start.
 */
import { untilQuiet } from '../kernel/activity.ts';
import type { Service } from '../kernel/grpc.ts';
import { Reloadable } from '../kernel/reloadable.ts';
import { deleteJob, pauseJob, resumeJob, runJob } from './control-job.ts';
import { createJob } from './create-job.ts';
import type { Job } from './job.ts';
import { getJob, listJobs } from './read-jobs.ts';
import { SchedulerState, type StateParts } from './state.ts';
import { updateJob } from './update-job.ts';

export interface Scheduler {
  readonly services: Service[];
  /** A run is in flight or due now. */
  isBusy(): boolean;
  /** Resolves when only future-dated work is left. */
  idle(): Promise<void>;
  jobs(): readonly Readonly<Job>[];
  /** Takes its state from the journal again, after something else has changed it there. */
  reload(): void;
  close(): void;
}

export function createScheduler(parts: StateParts): Scheduler {
  const kept = new Reloadable(() => new SchedulerState(parts));
  const isBusy = () => [...kept.current.workers.values()].some((worker) => worker.isBusy);
  return {
    services: [
      {
        package: '@google-cloud/scheduler',
        name: 'google.cloud.scheduler.v1.CloudScheduler',
        unary: {
          CreateJob: kept.rpc(createJob),
          GetJob: kept.rpc(getJob),
          UpdateJob: kept.rpc(updateJob),
          ListJobs: kept.rpc(listJobs),
          DeleteJob: kept.rpc(deleteJob),
          PauseJob: kept.rpc(pauseJob),
          ResumeJob: kept.rpc(resumeJob),
          RunJob: kept.rpc(runJob),
        },
      },
    ],
    isBusy,
    idle: () => untilQuiet(isBusy),
    jobs: () => [...kept.current.workers.values()].map((worker) => worker.job),
    reload: () => kept.reload(),
    close: () => kept.current.close(),
  };
}
