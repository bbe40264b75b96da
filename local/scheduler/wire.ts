import type { protos } from '@google-cloud/scheduler';

/** The messages of google.cloud.scheduler.v1, from Google's own client. */
export type WireJob = protos.google.cloud.scheduler.v1.IJob;
export type CreateJobRequest = protos.google.cloud.scheduler.v1.ICreateJobRequest;
export type UpdateJobRequest = protos.google.cloud.scheduler.v1.IUpdateJobRequest;
export type ListJobsRequest = protos.google.cloud.scheduler.v1.IListJobsRequest;
export interface NamedRequest {
  readonly name?: string | null;
}
