/** How Cloud Tasks and Cloud Scheduler space the attempts of what failed. */
export interface RetryDelay {
  readonly minBackoffMs: number;
  readonly maxBackoffMs: number;
  readonly maxDoublings: number;
}

/**
 * The wait after the given failure (the first is 1): doubles `maxDoublings` times, then grows by the
 * same amount each time, up to the maximum. With 10 s, 300 s and 3: 10, 20, 40, 80, 160, 240, 300, ….
 */
export function retryDelayMs(delay: RetryDelay, failure: number): number {
  const doublings = Math.min(failure - 1, delay.maxDoublings);
  const steps = 1 + Math.max(0, failure - 1 - delay.maxDoublings);
  return Math.min(delay.maxBackoffMs, delay.minBackoffMs * 2 ** doublings * steps);
}
