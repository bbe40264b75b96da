import type { Delivery } from '../kernel/dispatch.ts';
import { retryDelayMs } from '../kernel/retry-delay.ts';
import type { QueueSettings } from './queue-settings.ts';
import type { Task } from './task.ts';

const RETENTION_MS = 31 * 24 * 3_600_000;

/**
 * Whether a failed task has used up its tries. When attempts and duration are both limited, both must
 * be used up, as Cloud Tasks has it. A crashed target never costs a task its last try.
 */
function isExhausted(task: Task, queue: QueueSettings, delivery: Delivery, nowMs: number): boolean {
  if (delivery.kind === 'crashed') return false;
  if (nowMs - task.createMs >= RETENTION_MS) return true;
  const limitsAttempts = queue.maxAttempts > 0;
  const limitsDuration = queue.maxRetryDurationMs > 0;
  const triedForMs = nowMs - (task.firstAttempt?.dispatchMs ?? nowMs);
  const attemptsUsed = !limitsAttempts || task.dispatchCount >= queue.maxAttempts;
  const durationUsed = !limitsDuration || triedForMs >= queue.maxRetryDurationMs;
  return (limitsAttempts || limitsDuration) && attemptsUsed && durationUsed;
}

/** Whether Cloud Tasks takes the answer as a sign that the target is overloaded. */
export const isPushBack = (status: number): boolean => status === 429 || status === 503;

/** `Retry-After` in seconds or as a date; Cloud Tasks waits at least as long. */
function retryAfterMs(delivery: Delivery, nowMs: number): number {
  const header = delivery.kind === 'answered' ? delivery.headers['retry-after'] : undefined;
  if (!header) return 0;
  const seconds = Number(header);
  const waitMs = Number.isNaN(seconds) ? Date.parse(header) - nowMs : seconds * 1000;
  return Number.isNaN(waitMs) ? 0 : Math.max(0, waitMs);
}

/** When a failed task is tried again, or undefined when it is given up. */
export function nextTryMs(
  task: Task,
  queue: QueueSettings,
  delivery: Delivery,
  nowMs: number,
): number | undefined {
  if (isExhausted(task, queue, delivery, nowMs)) return undefined;
  const delayMs = retryDelayMs(queue.delay, task.dispatchCount);
  return nowMs + Math.max(delayMs, retryAfterMs(delivery, nowMs));
}
