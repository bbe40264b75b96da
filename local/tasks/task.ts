import { randomInt } from 'node:crypto';

import { RpcError } from '../kernel/grpc.ts';
import { fromMs, toMs } from '../kernel/proto-time.ts';
import { checkTaskName, queueOf } from './names.ts';
import type { WireAttempt, WireTask, WireView } from './wire.ts';

interface Attempt {
  readonly scheduleMs: number;
  readonly dispatchMs: number;
  readonly responseMs?: number;
  readonly status?: { readonly code: number; readonly message: string };
}

/** A task as it is kept. */
export interface Task {
  readonly name: string;
  /** Named by its creator: only then is the name refused for a while after the task is gone. */
  readonly isNamed: boolean;
  readonly url: string;
  readonly method: string;
  readonly headers: Readonly<Record<string, string>>;
  readonly body: Uint8Array;
  readonly oidc?: { readonly email: string; readonly audience: string };
  readonly createMs: number;
  readonly dispatchDeadlineMs: number;
  scheduleMs: number;
  dispatchCount: number;
  responseCount: number;
  /** Answers other than 5xx: what X-CloudTasks-TaskExecutionCount reports. */
  executionCount: number;
  previousStatus?: number;
  firstAttempt?: Attempt;
  lastAttempt?: Attempt;
}

const SIZE_BYTES_MAX = 1024 * 1024;
const URL_CHARACTERS_MAX = 2083;
const HEADERS_BYTES_MAX = 80 * 1024;
const SCHEDULE_AHEAD_MS_MAX = 30 * 24 * 3_600_000;
const DEADLINE_MS = { min: 15_000, default: 600_000, max: 1_800_000 };
const METHODS_WITH_BODY = ['POST', 'PUT', 'PATCH'];
/** Set by Cloud Tasks itself, whatever the creator wrote. */
const RESERVED_HEADER = /^(host|content-length|user-agent|x-(google|cloudtasks|appengine)-.*)$/i;

const invalid = (message: string) => new RpcError('INVALID_ARGUMENT', message);

const bytesOf = (body: string | Uint8Array | null | undefined): Uint8Array =>
  typeof body === 'string' ? Buffer.from(body, 'base64') : (body ?? new Uint8Array());

function parseRequest(wire: WireTask) {
  if (wire.appEngineHttpRequest)
    throw new RpcError('UNIMPLEMENTED', 'App Engine targets are not imitated.');
  const request = wire.httpRequest;
  const url = request?.url ?? '';
  if (!/^https?:\/\//i.test(url) || !URL.canParse(url))
    throw invalid('HttpRequest.url must start with http:// or https:// and be a valid URL.');
  if (url.length > URL_CHARACTERS_MAX)
    throw invalid(`HttpRequest.url must not be longer than ${URL_CHARACTERS_MAX} characters.`);
  if (request?.oauthToken) throw new RpcError('UNIMPLEMENTED', 'OAuth tokens are not imitated.');
  const method = String(request?.httpMethod || 'POST');
  const body = bytesOf(request?.body);
  if (body.length > 0 && !METHODS_WITH_BODY.includes(method))
    throw invalid('HTTP request body is only allowed for POST, PUT and PATCH.');
  const headers = Object.fromEntries(
    Object.entries(request?.headers ?? {}).filter(([name]) => !RESERVED_HEADER.test(name)),
  );
  const headerBytes = Buffer.byteLength(JSON.stringify(headers));
  if (headerBytes > HEADERS_BYTES_MAX) throw invalid('HttpRequest.headers are larger than 80 KB.');
  if (body.length + headerBytes + url.length > SIZE_BYTES_MAX)
    throw invalid(`Task size too large: the maximum is ${SIZE_BYTES_MAX} bytes.`);
  const email = request?.oidcToken?.serviceAccountEmail;
  return {
    url,
    method,
    headers,
    body,
    ...(email && { oidc: { email, audience: request?.oidcToken?.audience || url } }),
  };
}

/** Checks a task to be created in `queue` and gives it a name if it has none. */
export function parseTask(
  wire: WireTask | null | undefined,
  queueName: string,
  nowMs: number,
): Task {
  if (!wire) throw invalid('The task must be set.');
  const name = wire.name
    ? checkTaskName(wire.name)
    : `${queueName}/tasks/${randomInt(2 ** 47)}${randomInt(1_000_000)}`;
  if (queueOf(name) !== queueName)
    throw invalid('The queue name from request.parent must be the one in task.name.');
  const scheduleMs = toMs(wire.scheduleTime) ?? nowMs;
  if (scheduleMs > nowMs + SCHEDULE_AHEAD_MS_MAX)
    throw invalid('The Task.schedule_time is too far in the future: at most 30 days.');
  const dispatchDeadlineMs = toMs(wire.dispatchDeadline) ?? DEADLINE_MS.default;
  if (dispatchDeadlineMs < DEADLINE_MS.min || dispatchDeadlineMs > DEADLINE_MS.max)
    throw invalid('Task.dispatch_deadline must be between [15s, 30m].');
  return {
    ...parseRequest(wire),
    name,
    isNamed: Boolean(wire.name),
    createMs: nowMs,
    dispatchDeadlineMs,
    scheduleMs: Math.max(scheduleMs, nowMs),
    dispatchCount: 0,
    responseCount: 0,
    executionCount: 0,
  };
}

const attemptToWire = (attempt: Attempt): WireAttempt => ({
  scheduleTime: fromMs(attempt.scheduleMs),
  dispatchTime: fromMs(attempt.dispatchMs),
  ...(attempt.responseMs !== undefined && { responseTime: fromMs(attempt.responseMs) }),
  ...(attempt.status && { responseStatus: attempt.status }),
});

/** The default view, BASIC, leaves the body out. */
export const taskToWire = (task: Task, view: WireView): WireTask => ({
  name: task.name,
  httpRequest: {
    url: task.url,
    httpMethod: task.method as 'POST',
    headers: { ...task.headers },
    ...(view === 'FULL' && { body: task.body }),
    ...(task.oidc && {
      oidcToken: { serviceAccountEmail: task.oidc.email, audience: task.oidc.audience },
    }),
  },
  scheduleTime: fromMs(task.scheduleMs),
  createTime: fromMs(task.createMs),
  dispatchDeadline: fromMs(task.dispatchDeadlineMs),
  dispatchCount: task.dispatchCount,
  responseCount: task.responseCount,
  ...(task.firstAttempt && { firstAttempt: attemptToWire(task.firstAttempt) }),
  ...(task.lastAttempt && { lastAttempt: attemptToWire(task.lastAttempt) }),
  view: view === 'FULL' ? 'FULL' : 'BASIC',
});
