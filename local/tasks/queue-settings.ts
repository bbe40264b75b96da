import { RpcError } from '../kernel/grpc.ts';
import { fromMs, toMs } from '../kernel/proto-time.ts';
import type { RetryDelay } from '../kernel/retry-delay.ts';
import { checkQueueName } from './names.ts';
import type { WireQueue } from './wire.ts';

export interface QueueSettings {
  readonly name: string;
  readonly maxDispatchesPerSecond: number;
  readonly maxBurstSize: number;
  readonly maxConcurrentDispatches: number;
  /** -1 is unlimited; the first attempt counts. */
  readonly maxAttempts: number;
  /** 0 is unlimited. */
  readonly maxRetryDurationMs: number;
  readonly delay: RetryDelay;
}

/** What Cloud Tasks gives a queue that asks for nothing. */
const DEFAULTS = {
  maxDispatchesPerSecond: 500,
  maxConcurrentDispatches: 1000,
  maxAttempts: 100,
  minBackoffMs: 100,
  maxBackoffMs: 3_600_000,
  maxDoublings: 16,
};
const DISPATCHES_PER_SECOND_MAX = 500;
const CONCURRENT_DISPATCHES_MAX = 5000;

/** Output only in production, which picks it from the rate: 100 for 500 per second, 10 for slow queues. */
const burstFor = (maxDispatchesPerSecond: number) =>
  Math.max(10, Math.ceil(maxDispatchesPerSecond / 5));

function checkRange(field: string, value: number, max: number): number {
  if (value >= 0 && value <= max) return value;
  throw new RpcError('INVALID_ARGUMENT', `${field} must be between 0 and ${max} (is ${value}).`);
}

export function parseQueue(queue: WireQueue | null | undefined): QueueSettings {
  const name = checkQueueName(queue?.name);
  if (queue?.appEngineRoutingOverride)
    throw new RpcError('UNIMPLEMENTED', 'App Engine routing is not imitated.');
  const rate = queue?.rateLimits;
  const retry = queue?.retryConfig;
  const maxDispatchesPerSecond =
    checkRange(
      'max_dispatches_per_second',
      rate?.maxDispatchesPerSecond ?? 0,
      DISPATCHES_PER_SECOND_MAX,
    ) || DEFAULTS.maxDispatchesPerSecond;
  const settings = {
    name,
    maxDispatchesPerSecond,
    maxBurstSize: burstFor(maxDispatchesPerSecond),
    maxConcurrentDispatches:
      checkRange(
        'max_concurrent_dispatches',
        rate?.maxConcurrentDispatches ?? 0,
        CONCURRENT_DISPATCHES_MAX,
      ) || DEFAULTS.maxConcurrentDispatches,
    maxAttempts: retry?.maxAttempts || DEFAULTS.maxAttempts,
    maxRetryDurationMs: toMs(retry?.maxRetryDuration) ?? 0,
    delay: {
      minBackoffMs: toMs(retry?.minBackoff) ?? DEFAULTS.minBackoffMs,
      maxBackoffMs: toMs(retry?.maxBackoff) ?? DEFAULTS.maxBackoffMs,
      maxDoublings: retry?.maxDoublings ?? DEFAULTS.maxDoublings,
    },
  };
  if (settings.maxAttempts < -1)
    throw new RpcError('INVALID_ARGUMENT', 'max_attempts must be -1 or greater than 0.');
  if (settings.delay.minBackoffMs > settings.delay.maxBackoffMs)
    throw new RpcError('INVALID_ARGUMENT', 'min_backoff must not be greater than max_backoff.');
  return settings;
}

export const queueToWire = (settings: QueueSettings): WireQueue => ({
  name: settings.name,
  rateLimits: {
    maxDispatchesPerSecond: settings.maxDispatchesPerSecond,
    maxBurstSize: settings.maxBurstSize,
    maxConcurrentDispatches: settings.maxConcurrentDispatches,
  },
  retryConfig: {
    maxAttempts: settings.maxAttempts,
    maxRetryDuration: fromMs(settings.maxRetryDurationMs),
    minBackoff: fromMs(settings.delay.minBackoffMs),
    maxBackoff: fromMs(settings.delay.maxBackoffMs),
    maxDoublings: settings.delay.maxDoublings,
  },
});
