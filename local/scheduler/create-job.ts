import { randomInt } from 'node:crypto';

import { RpcError } from '../kernel/grpc.ts';
import { checkJobName, jobToWire, parseJob } from './job.ts';
import type { SchedulerState } from './state.ts';
import type { CreateJobRequest, WireJob } from './wire.ts';

export const createJob =
  (state: SchedulerState) =>
  (request: CreateJobRequest): WireJob => {
    const parent = request.parent ?? '';
    const name = checkJobName(request.job?.name || `${parent}/jobs/${randomInt(2 ** 47)}`);
    if (!name.startsWith(`${parent}/jobs/`))
      throw new RpcError('INVALID_ARGUMENT', 'The parent must be the location in job.name.');
    if (state.workers.has(name))
      throw new RpcError('ALREADY_EXISTS', `Job ${name} already exists.`);
    return jobToWire(state.create(parseJob(request.job, name)));
  };
