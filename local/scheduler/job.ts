import { RpcError } from '../kernel/grpc.ts';
import { fromMs, toMs } from '../kernel/proto-time.ts';
import type { RetryDelay } from '../kernel/retry-delay.ts';
import { checkSchedule } from './cron.ts';
import type { WireJob } from './wire.ts';

/** What a job's owner sets. */
export interface JobSettings {
  readonly name: string;
  readonly description: string;
  readonly schedule: string;
  readonly timeZone: string;
  readonly url: string;
  readonly method: string;
  readonly headers: Readonly<Record<string, string>>;
  readonly body: Uint8Array;
  readonly oidc?: { readonly email: string; readonly audience: string };
  readonly attemptDeadlineMs: number;
  readonly retryCount: number;
  /** 0 is unlimited. */
  readonly maxRetryDurationMs: number;
  readonly delay: RetryDelay;
}

/** One run of a job, from its first attempt to its success or last failure. */
export interface Execution {
  /** The time it was due, which every one of its attempts reports. */
  readonly scheduledMs: number;
  readonly startMs: number;
  readonly failures: number;
  readonly nextAttemptMs: number;
}

/** A job as it is kept. */
export interface Job {
  settings: JobSettings;
  isPaused: boolean;
  updateMs: number;
  /** The next run by the schedule; undefined when there is none to come. */
  nextRunMs?: number | undefined;
  execution?: Execution | undefined;
  lastAttemptMs?: number;
  status?: { readonly code: number; readonly message: string };
}

const NAME = /^projects\/[a-zA-Z0-9.:-]+\/locations\/[a-z0-9-]+\/jobs\/[a-zA-Z0-9_-]{1,500}$/;
const ATTEMPT_DEADLINE_MS = { min: 15_000, default: 180_000, max: 1_800_000 };
const RETRIES_MAX = 5;
const DELAY_DEFAULTS: RetryDelay = {
  minBackoffMs: 5000,
  maxBackoffMs: 3_600_000,
  maxDoublings: 5,
};

const invalid = (message: string) => new RpcError('INVALID_ARGUMENT', message);

export function checkJobName(name: string | null | undefined): string {
  if (name && NAME.test(name)) return name;
  throw invalid(
    `Job name must be formatted: "projects/<PROJECT_ID>/locations/<LOCATION_ID>/jobs/<JOB_ID>" (is "${name ?? ''}").`,
  );
}

function parseTarget(wire: WireJob) {
  if (wire.pubsubTarget || wire.appEngineHttpTarget)
    throw new RpcError('UNIMPLEMENTED', 'Only HTTP targets are imitated.');
  const target = wire.httpTarget;
  const url = target?.uri ?? '';
  if (!/^https?:\/\//i.test(url) || !URL.canParse(url))
    throw invalid('HttpTarget.uri must start with http:// or https:// and be a valid URL.');
  if (target?.oauthToken) throw new RpcError('UNIMPLEMENTED', 'OAuth tokens are not imitated.');
  const { body } = target ?? {};
  const email = target?.oidcToken?.serviceAccountEmail;
  return {
    url,
    method: String(target?.httpMethod || 'POST'),
    headers: { ...target?.headers },
    body: typeof body === 'string' ? Buffer.from(body, 'base64') : (body ?? new Uint8Array()),
    ...(email && { oidc: { email, audience: target?.oidcToken?.audience || url } }),
  };
}

export function parseJob(wire: WireJob | null | undefined, name: string): JobSettings {
  const schedule = wire?.schedule ?? '';
  const timeZone = wire?.timeZone || 'UTC';
  checkSchedule(schedule, timeZone);
  const retry = wire?.retryConfig;
  const retryCount = retry?.retryCount ?? 0;
  if (retryCount < 0 || retryCount > RETRIES_MAX)
    throw invalid(`RetryConfig.retry_count must be between 0 and ${RETRIES_MAX}.`);
  const attemptDeadlineMs = toMs(wire?.attemptDeadline) || ATTEMPT_DEADLINE_MS.default;
  if (attemptDeadlineMs < ATTEMPT_DEADLINE_MS.min || attemptDeadlineMs > ATTEMPT_DEADLINE_MS.max)
    throw invalid('attempt_deadline must be between [15s, 30m].');
  return {
    ...parseTarget(wire ?? {}),
    name,
    description: wire?.description ?? '',
    schedule,
    timeZone,
    attemptDeadlineMs,
    retryCount,
    maxRetryDurationMs: toMs(retry?.maxRetryDuration) ?? 0,
    delay: {
      minBackoffMs: toMs(retry?.minBackoffDuration) ?? DELAY_DEFAULTS.minBackoffMs,
      maxBackoffMs: toMs(retry?.maxBackoffDuration) ?? DELAY_DEFAULTS.maxBackoffMs,
      maxDoublings: retry?.maxDoublings ?? DELAY_DEFAULTS.maxDoublings,
    },
  };
}

/** The part of a job that its owner sets. */
export const settingsToWire = (settings: JobSettings): WireJob => ({
  name: settings.name,
  description: settings.description,
  schedule: settings.schedule,
  timeZone: settings.timeZone,
  httpTarget: {
    uri: settings.url,
    httpMethod: settings.method as 'POST',
    headers: { ...settings.headers },
    body: settings.body,
    ...(settings.oidc && {
      oidcToken: { serviceAccountEmail: settings.oidc.email, audience: settings.oidc.audience },
    }),
  },
  attemptDeadline: fromMs(settings.attemptDeadlineMs),
  retryConfig: {
    retryCount: settings.retryCount,
    maxRetryDuration: fromMs(settings.maxRetryDurationMs),
    minBackoffDuration: fromMs(settings.delay.minBackoffMs),
    maxBackoffDuration: fromMs(settings.delay.maxBackoffMs),
    maxDoublings: settings.delay.maxDoublings,
  },
});

export function jobToWire(job: Job): WireJob {
  const nextMs = job.execution?.nextAttemptMs ?? job.nextRunMs;
  return {
    ...settingsToWire(job.settings),
    state: job.isPaused ? 'PAUSED' : 'ENABLED',
    userUpdateTime: fromMs(job.updateMs),
    ...(nextMs !== undefined && !job.isPaused && { scheduleTime: fromMs(nextMs) }),
    ...(job.lastAttemptMs !== undefined && { lastAttemptTime: fromMs(job.lastAttemptMs) }),
    ...(job.status && { status: job.status }),
  };
}
