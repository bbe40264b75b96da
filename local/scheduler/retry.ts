import type { Delivery } from '../kernel/dispatch.ts';
import { retryDelayMs } from '../kernel/retry-delay.ts';
import type { Execution, Job } from './job.ts';

/**
 * A failed execution as it goes on, or undefined when it is given up: its retries are used up, or the
 * next run of the schedule comes first. A crashed target never costs an execution its last try.
 */
export function nextTry(
  job: Job,
  execution: Execution,
  delivery: Delivery,
  nowMs: number,
): Execution | undefined {
  const { retryCount, maxRetryDurationMs, delay } = job.settings;
  const failures = execution.failures + 1;
  const nextAttemptMs = nowMs + retryDelayMs(delay, failures);
  if (delivery.kind === 'crashed') return { ...execution, failures, nextAttemptMs };
  const retriesUsed = failures > retryCount;
  const durationUsed = maxRetryDurationMs === 0 || nowMs - execution.startMs >= maxRetryDurationMs;
  const isOvertaken = job.nextRunMs !== undefined && job.nextRunMs <= nextAttemptMs;
  if (retryCount === 0 || (retriesUsed && durationUsed) || isOvertaken) return undefined;
  return { ...execution, failures, nextAttemptMs };
}
