import { pageOf } from '../kernel/page.ts';
import { jobToWire } from './job.ts';
import type { SchedulerState } from './state.ts';
import type { ListJobsRequest, NamedRequest } from './wire.ts';

const PAGE_SIZE_MAX = 500;

export const getJob = (state: SchedulerState) => (request: NamedRequest) =>
  jobToWire(state.worker(request.name).job);

export const listJobs = (state: SchedulerState) => (request: ListJobsRequest) => {
  const inLocation = [...state.workers.values()]
    .map(({ job }) => ({ name: job.settings.name, job }))
    .filter(({ name }) => name.startsWith(`${request.parent ?? ''}/jobs/`));
  const { items, nextPageToken } = pageOf(inLocation, request, PAGE_SIZE_MAX);
  return { jobs: items.map(({ job }) => jobToWire(job)), nextPageToken };
};
