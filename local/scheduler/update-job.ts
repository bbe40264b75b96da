import { applyMask } from '../kernel/field-mask.ts';
import { jobToWire, parseJob, settingsToWire } from './job.ts';
import type { SchedulerState } from './state.ts';
import type { UpdateJobRequest, WireJob } from './wire.ts';

/** Ends a run that is being retried, as production may. */
export const updateJob =
  (state: SchedulerState) =>
  (request: UpdateJobRequest): WireJob => {
    const worker = state.worker(request.job?.name);
    const { settings } = worker.job;
    const merged = applyMask(settingsToWire(settings), request.job ?? {}, request.updateMask);
    worker.configure(parseJob(merged, settings.name));
    return jobToWire(worker.job);
  };
