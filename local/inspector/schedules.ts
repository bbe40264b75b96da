import type { Job } from '../scheduler/job.ts';
import type { Scheduler } from '../scheduler/server.ts';
import { isoTime, lastPart } from './display.ts';
import { maskText } from './masking.ts';
import { call } from './rpc.ts';

const showJob = ({
  settings,
  isPaused,
  nextRunMs,
  execution,
  lastAttemptMs,
  status,
}: Readonly<Job>) => {
  const nextMs = execution?.nextAttemptMs ?? (isPaused ? undefined : nextRunMs);
  return {
    name: settings.name,
    id: lastPart(settings.name),
    schedule: settings.schedule,
    time_zone: settings.timeZone,
    target: maskText(settings.url),
    state: isPaused ? 'PAUSED' : 'ENABLED',
    next_run: nextMs === undefined ? null : isoTime(nextMs),
    last_attempt: lastAttemptMs === undefined ? null : isoTime(lastAttemptMs),
    last_result: status ? { code: status.code, message: maskText(status.message) } : null,
  };
};

export const listSchedules = (scheduler: Scheduler) => ({
  schedules: scheduler.jobs().map(showJob),
});

export const runSchedule = async ({ services }: Scheduler, name: string): Promise<void> =>
  void (await call(services, 'RunJob', { name }));
