import { RpcError } from '../kernel/grpc.ts';
import { jobToWire } from './job.ts';
import type { SchedulerState } from './state.ts';
import type { NamedRequest } from './wire.ts';

export const deleteJob = (state: SchedulerState) => (request: NamedRequest) => {
  state.delete(state.worker(request.name));
  return {};
};

export const pauseJob = (state: SchedulerState) => (request: NamedRequest) => {
  const worker = state.worker(request.name);
  if (worker.job.isPaused)
    throw new RpcError('FAILED_PRECONDITION', 'Job must be ENABLED to be paused.');
  worker.pause();
  return jobToWire(worker.job);
};

export const resumeJob = (state: SchedulerState) => (request: NamedRequest) => {
  const worker = state.worker(request.name);
  if (!worker.job.isPaused)
    throw new RpcError('FAILED_PRECONDITION', 'Job must be PAUSED to be resumed.');
  worker.resume();
  return jobToWire(worker.job);
};

export const runJob = (state: SchedulerState) => (request: NamedRequest) => {
  const worker = state.worker(request.name);
  worker.run();
  return jobToWire(worker.job);
};
