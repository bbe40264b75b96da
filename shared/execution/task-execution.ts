import { Buffer } from 'node:buffer';
import { z } from 'zod';

import { contentHash } from '../canonical-json.ts';
import { deadLettered } from '../dead-letters/record.ts';
import { AppError } from '../errors.ts';
import { derivedId } from '../ids.ts';
import { collection, idOf, ref } from '../store/collection.ts';
import {
  type Command,
  type Decision,
  type Docs,
  type TaskRequest,
  create,
  set,
} from '../store/decision.ts';
import { Timestamp } from '../time.ts';
import type { ProviderExecutionResult, ProviderFailure } from './result.ts';

/** A task carries what a call needs, not bodies: its dead letter holds the payload twice over. */
const PAYLOAD_BYTES_MAX = 128 * 1024;
const RESULT_BYTES_MAX = 256 * 1024;
const MESSAGE_LENGTH_MAX = 1_000;
const KEEP_MS = 30 * 24 * 3_600_000;
/** Cloud Tasks schedules at most 30 days ahead; what is due later is put off once more. */
const SCHEDULE_AHEAD_MS_MAX = 28 * 24 * 3_600_000;
/** A refusal whose time has come is not asked again at once. */
const DEFERRED_PAUSE_MS_MIN = 1_000;
const CANCELLED_PAUSE_MS = 5_000;

const bytesOf = (text: string): number => Buffer.byteLength(text, 'utf8');

const JsonObject = z.object({}).catchall(z.json());
export type JsonObject = z.infer<typeof JsonObject>;

const Name = z
  .string()
  .regex(
    /^[A-Za-z0-9][A-Za-z0-9._:-]{0,127}$/,
    'must be 1 to 128 of A-Z, a-z, 0-9 and ._:-, beginning with a letter or digit',
  );
const Key = z.string().regex(/^[\x21-\x7e]{1,255}$/, 'must be 1 to 255 printable ASCII characters');
const Payload = JsonObject.refine(
  (payload) => bytesOf(JSON.stringify(payload)) <= PAYLOAD_BYTES_MAX,
  `must be at most ${PAYLOAD_BYTES_MAX} bytes of JSON`,
);

/** POST /internal/v1/provider-tasks. The payload never carries a secret: it is stored. */
export const StartProviderTask = z.strictObject({
  tenant_id: Name,
  provider_name: Name,
  capability: Name,
  operation: Name,
  payload: Payload,
  /** The rfq_id or run_id it belongs to. */
  campaign_id: Name.nullish(),
  /** The same for every repetition of the work; by default the hash of what is called. */
  idempotency_key: Key.nullish(),
  correlation_id: Key.nullish(),
  /** Shortens the time that one run may take. */
  timeout_budget_ms: z.int().min(1).nullish(),
});
export type StartProviderTask = z.infer<typeof StartProviderTask>;

/** What the task function of a provider task is called with. */
export const ProviderTaskPayload = z.object({
  ...StartProviderTask.shape,
  /** An object or its JSON text, which a dead letter keeps: Firestore holds no list in a list. */
  payload: z.preprocess(
    (given) => (typeof given === 'string' ? jsonOr(undefined, given) : given),
    Payload,
  ),
  /** Given for one whose document is there already; without it, the first dispatch writes it. */
  task_execution_id: z.string().optional(),
  /** 0 for the first dispatch, then one more for each. */
  n: z.int().nonnegative().default(0),
});
export type ProviderTaskPayload = z.infer<typeof ProviderTaskPayload>;

const Failure = z.object({
  /** Null for a run that was cancelled. */
  reason_code: z.string().nullable(),
  /** Name of the error's class, such as `ProviderTimeoutError`. */
  error_type: z.string(),
  message: z.string(),
  http_status: z.int().nullable(),
  at: Timestamp,
});
type Failure = z.infer<typeof Failure>;

const State = z.enum(['RUNNING', 'WAITING', 'SUCCEEDED', 'FAILED']);

/** One provider task over all its dispatches. Id: hash of function, tenant and idempotency key. */
export const TaskExecution = z.object({
  task_execution_id: z.string(),
  tenant_id: z.string(),
  campaign_id: z.string().nullable(),
  /** The task function that runs it. */
  task_name: z.string(),
  provider_name: z.string(),
  capability: z.string(),
  operation: z.string(),
  idempotency_key: z.string(),
  correlation_id: z.string(),
  /** As JSON text. */
  payload: z.string(),
  /** Of everything that must be equal for the key to mean the same work. */
  payload_hash: z.string(),
  timeout_budget_ms: z.int().positive().nullable(),
  state: State,
  /** One more for each owner; what an earlier one still writes is refused by it. */
  fence: z.int().nonnegative(),
  /** The invocation that runs it; it recognises its own write when the acknowledgement was lost. */
  owner: z.string().nullable(),
  /** While running: another may take over after it. */
  lease_until: Timestamp.nullable(),
  /** The dispatch that is expected or running. */
  n: z.int().nonnegative(),
  /** Attempts that may have reached the provider; a run that ended without a word counts as one. */
  attempts: z.int().nonnegative(),
  /** What the provider answered, as JSON text, or a note why it is not kept. */
  result: z.string().nullable(),
  last_failure: Failure.nullable(),
  next_attempt_at: Timestamp.nullable(),
  dead_letter_id: z.string().nullable(),
  created_at: Timestamp,
  updated_at: Timestamp,
  version: z.int().positive(),
  /** 30 days after the last change, or after the next attempt. */
  expire_at: z.date(),
});
export type TaskExecution = z.infer<typeof TaskExecution>;

export const taskExecutions = collection('task_executions', TaskExecution);

export const taskExecutionRefs = ({
  task_execution_id,
}: Pick<TaskExecution, 'task_execution_id'>) => ({
  execution: ref(taskExecutions, task_execution_id),
});

/** The execution that `asked` describes, as it is before its first run. */
export function newTaskExecution(
  taskName: string,
  asked: StartProviderTask & { readonly n?: number },
  at: Date,
): TaskExecution {
  const { tenant_id, provider_name, capability, operation, payload } = asked;
  const payload_hash = contentHash({ provider_name, capability, operation, payload });
  const idempotency_key = asked.idempotency_key ?? payload_hash;
  const task_execution_id = derivedId('tex', taskName, tenant_id, idempotency_key);
  return {
    task_execution_id,
    tenant_id,
    campaign_id: asked.campaign_id ?? null,
    task_name: taskName,
    provider_name,
    capability,
    operation,
    idempotency_key,
    correlation_id: asked.correlation_id ?? task_execution_id,
    payload: JSON.stringify(payload),
    payload_hash,
    timeout_budget_ms: asked.timeout_budget_ms ?? null,
    state: 'WAITING',
    fence: 0,
    owner: null,
    lease_until: null,
    n: asked.n ?? 0,
    attempts: 0,
    result: null,
    last_failure: null,
    next_attempt_at: at.toISOString(),
    dead_letter_id: null,
    created_at: at.toISOString(),
    updated_at: at.toISOString(),
    version: 1,
    expire_at: new Date(at.getTime() + KEEP_MS),
  };
}

const taskPayload = ({
  tenant_id,
  campaign_id,
  provider_name,
  capability,
  operation,
  payload,
  idempotency_key,
  correlation_id,
  task_execution_id,
  timeout_budget_ms,
  n,
}: TaskExecution) => ({
  tenant_id,
  campaign_id,
  provider_name,
  capability,
  operation,
  payload,
  idempotency_key,
  correlation_id,
  task_execution_id,
  timeout_budget_ms,
  n,
});

/** The dispatch that the execution waits for. */
const nextTask = (execution: TaskExecution, at?: Date): TaskRequest => ({
  function: execution.task_name,
  name: `${execution.task_name}/${execution.task_execution_id}/${execution.n}`,
  payload: taskPayload(execution),
  ...(at && { at }),
});

export interface StartTaskCommand extends Command {
  /** By `newTaskExecution`. */
  readonly execution: TaskExecution;
}

/**
 * Writes the execution and enqueues its first dispatch; one that is there already is the answer.
 *
 * @throws {AppError} `idempotency_mismatch` when the key stands for other work
 */
export function startTaskExecution(
  { execution: found }: Docs<ReturnType<typeof taskExecutionRefs>>,
  { execution }: StartTaskCommand,
): Decision<TaskExecutionView> {
  if (!found)
    return {
      writes: [create(ref(taskExecutions, execution.task_execution_id), execution)],
      tasks: [nextTask(execution)],
      reply: taskExecutionView(execution),
    };
  if (found.payload_hash !== execution.payload_hash)
    throw new AppError(
      'idempotency_mismatch',
      'This idempotency_key was used for another provider, operation or payload; use a new key.',
    );
  return { writes: [], reply: taskExecutionView(found) };
}

/** What a dispatch finds. Only `run` may call the provider. */
export type Claim =
  | {
      readonly kind: 'run';
      readonly execution: TaskExecution;
      /** False where the document says so already. */
      readonly isNew: boolean;
    }
  /** Ended, or overtaken by a later dispatch. */
  | { readonly kind: 'duplicate'; readonly attempts: number }
  /** Another invocation has it. */
  | { readonly kind: 'busy'; readonly attempts: number }
  /** The key stands for other work. */
  | { readonly kind: 'rejected' };

export interface Claimant {
  /** Of this invocation alone. */
  readonly owner: string;
  readonly at: Date;
  /** How long it may run before another may take over. */
  readonly leaseMs: number;
}

/** @param asked by `newTaskExecution`, from the payload of this dispatch */
export function claim(found: TaskExecution | null, asked: TaskExecution, by: Claimant): Claim {
  if (!found) return { kind: 'run', execution: firstRun(asked, by), isNew: true };
  const { attempts } = found;
  if (found.payload_hash !== asked.payload_hash) return { kind: 'rejected' };
  if (found.state === 'SUCCEEDED' || found.state === 'FAILED' || asked.n < found.n)
    return { kind: 'duplicate', attempts };
  const n = Math.max(asked.n, found.n);
  if (found.state === 'WAITING')
    return { kind: 'run', execution: taken({ ...found, n }, by), isNew: true };
  if (found.owner === by.owner) return { kind: 'run', execution: found, isNew: false };
  if (found.lease_until !== null && found.lease_until > by.at.toISOString())
    return { kind: 'busy', attempts };
  const lost = { ...found, n, attempts: attempts + 1, last_failure: runLost(by.at) };
  return { kind: 'run', execution: taken(lost, by), isNew: true };
}

/** The document of an execution that nobody wrote before its first dispatch. */
export const firstRun = (asked: TaskExecution, by: Claimant): TaskExecution => ({
  ...taken(asked, by),
  version: 1,
});

const taken = (execution: TaskExecution, { owner, at, leaseMs }: Claimant): TaskExecution => ({
  ...execution,
  state: 'RUNNING',
  fence: execution.fence + 1,
  owner,
  lease_until: new Date(at.getTime() + leaseMs).toISOString(),
  next_attempt_at: null,
  updated_at: at.toISOString(),
  version: execution.version + 1,
  expire_at: new Date(at.getTime() + KEEP_MS),
});

const runLost = (at: Date): Failure => ({
  reason_code: 'internal_error',
  error_type: 'ProviderInternalError',
  message: 'a run of this task ended without saying how',
  http_status: null,
  at: at.toISOString(),
});

/** What a run came to. */
type RunOutcome =
  | { readonly kind: 'succeeded'; readonly result: string }
  | { readonly kind: 'waiting'; readonly next_attempt_at: Date; readonly failure: Failure }
  | { readonly kind: 'failed'; readonly failure: Failure };

export interface FinishedRun {
  readonly task_execution_id: string;
  /** Of the claim under which it ran. */
  readonly fence: number;
  /** Attempts that it made; a refusal is none. */
  readonly attempts: number;
  readonly outcome: RunOutcome;
  readonly ended_at: Date;
}

/** @param redact takes what looks like a secret out of an error's message */
export function finishedRun(
  { task_execution_id, fence }: TaskExecution,
  result: ProviderExecutionResult<unknown>,
  ended_at: Date,
  redact: (text: string) => string,
): FinishedRun {
  return {
    task_execution_id,
    fence,
    attempts: result.attempts.length,
    outcome: outcomeOf(result, ended_at, redact),
    ended_at,
  };
}

function outcomeOf(
  result: ProviderExecutionResult<unknown>,
  endedAt: Date,
  redact: (text: string) => string,
): RunOutcome {
  if (result.status === 'succeeded')
    return { kind: 'succeeded', result: storedResult(result.value) };
  const failure = failureOf(result.failure, endedAt, redact);
  const waiting = (atMs: number): RunOutcome => ({
    kind: 'waiting',
    next_attempt_at: new Date(Math.min(atMs, endedAt.getTime() + SCHEDULE_AHEAD_MS_MAX)),
    failure,
  });
  switch (result.status) {
    case 'failed':
      return result.retryAt
        ? waiting(Math.max(result.retryAt.getTime(), endedAt.getTime()))
        : { kind: 'failed', failure };
    case 'deferred':
      return waiting(Math.max(result.retryAt.getTime(), endedAt.getTime() + DEFERRED_PAUSE_MS_MIN));
    case 'cancelled':
      return waiting(endedAt.getTime() + CANCELLED_PAUSE_MS);
  }
}

const failureOf = (
  { reasonCode, errorType, message, httpStatus }: ProviderFailure,
  at: Date,
  redact: (text: string) => string,
): Failure => ({
  reason_code: reasonCode,
  error_type: errorType,
  message: redact(message).slice(0, MESSAGE_LENGTH_MAX),
  http_status: httpStatus,
  at: at.toISOString(),
});

/** The work is done whatever its answer looks like: one that cannot be kept leaves a note. */
function storedResult(value: unknown): string {
  const note = (text: string) => JSON.stringify({ not_kept: text });
  const json = jsonTextOf(value);
  if (json === null) return note('the result is no JSON');
  return bytesOf(json) <= RESULT_BYTES_MAX
    ? json
    : note(`the result has ${bytesOf(json)} bytes, and ${RESULT_BYTES_MAX} are kept at most`);
}

function jsonTextOf(value: unknown): string | null {
  try {
    return JSON.stringify(value ?? null) ?? null;
  } catch {
    return null;
  }
}

/** @returns the execution after the run; null when the run is another's or was recorded before */
export function afterRun(found: TaskExecution | null, run: FinishedRun): TaskExecution | null {
  if (found?.state !== 'RUNNING' || found.fence !== run.fence) return null;
  const { outcome, ended_at } = run;
  const next: TaskExecution = {
    ...found,
    owner: null,
    lease_until: null,
    attempts: found.attempts + run.attempts,
    updated_at: ended_at.toISOString(),
    version: found.version + 1,
    expire_at: new Date(ended_at.getTime() + KEEP_MS),
  };
  switch (outcome.kind) {
    case 'succeeded':
      return { ...next, state: 'SUCCEEDED', result: outcome.result };
    case 'waiting':
      return {
        ...next,
        state: 'WAITING',
        n: found.n + 1,
        last_failure: outcome.failure,
        next_attempt_at: outcome.next_attempt_at.toISOString(),
        expire_at: new Date(outcome.next_attempt_at.getTime() + KEEP_MS),
      };
    case 'failed':
      return { ...next, state: 'FAILED', last_failure: outcome.failure };
  }
}

/** False when another has taken the execution over: the run changed nothing. */
export const isRecorded = (found: TaskExecution | null, { fence }: FinishedRun): boolean =>
  found?.fence === fence;

export interface RecordRunCommand extends Command {
  readonly run: FinishedRun;
}

/**
 * Saves what a run came to and, in the same commit, enqueues the next dispatch or writes the dead
 * letter. A run that another has taken over from changes nothing.
 */
export function recordRun(
  { execution: found }: Docs<ReturnType<typeof taskExecutionRefs>>,
  { run }: RecordRunCommand,
): Decision<{ readonly recorded: boolean }> {
  const reply = { recorded: isRecorded(found, run) };
  const next = afterRun(found, run);
  if (!next) return { writes: [], reply };
  const place = ref(taskExecutions, next.task_execution_id);
  switch (run.outcome.kind) {
    case 'succeeded':
      return { writes: [set(place, next)], reply };
    case 'waiting':
      return {
        writes: [set(place, next)],
        tasks: [nextTask(next, run.outcome.next_attempt_at)],
        reply,
      };
    case 'failed': {
      const letter = deadLetterOf(next, run.outcome.failure);
      const failed = { ...next, dead_letter_id: idOf(letter.write.ref) };
      return { writes: [set(place, failed), letter.write], events: [letter.event], reply };
    }
  }
}

const deadLetterOf = (execution: TaskExecution, failure: Failure) => {
  const { tenant_id, campaign_id, task_name, provider_name, capability, operation } = execution;
  return deadLettered(
    {
      tenant_id,
      campaign_id,
      task_name,
      provider_name,
      capability,
      operation,
      idempotency_key: execution.idempotency_key,
      correlation_id: execution.correlation_id,
      reason_code: failure.reason_code ?? 'internal_error',
      error_type: failure.error_type,
      error_message: failure.message,
      attempts: execution.attempts,
      occurred_at: failure.at,
    },
    { function: task_name, payload: taskPayload(execution) },
  );
};

/**
 * Gives a failed execution all its attempts again and enqueues it: what a replay of its dead letter
 * does.
 *
 * @throws {AppError} `conflict` saying why there is nothing to do again
 */
export function reopenTaskExecution(
  { execution }: Docs<ReturnType<typeof taskExecutionRefs>>,
  { at }: Command,
): Decision<TaskExecutionView> {
  if (!execution)
    throw new AppError('conflict', 'What is known of this task is no longer kept; start it anew.');
  if (execution.state === 'SUCCEEDED')
    throw new AppError('conflict', `It succeeded on ${execution.updated_at}.`);
  if (execution.state === 'RUNNING') throw new AppError('conflict', 'It is running.');
  if (execution.state === 'WAITING')
    throw new AppError(
      'conflict',
      `It is being tried already, next at ${execution.next_attempt_at}.`,
    );
  const next: TaskExecution = {
    ...execution,
    state: 'WAITING',
    n: execution.n + 1,
    attempts: 0,
    next_attempt_at: at.toISOString(),
    dead_letter_id: null,
    updated_at: at.toISOString(),
    version: execution.version + 1,
    expire_at: new Date(at.getTime() + KEEP_MS),
  };
  return {
    writes: [set(ref(taskExecutions, next.task_execution_id), next)],
    tasks: [nextTask(next)],
    reply: taskExecutionView(next),
  };
}

/** A provider task as it is shown: without its payload. */
export const TaskExecutionView = TaskExecution.pick({
  task_execution_id: true,
  state: true,
  tenant_id: true,
  campaign_id: true,
  task_name: true,
  provider_name: true,
  capability: true,
  operation: true,
  idempotency_key: true,
  correlation_id: true,
  attempts: true,
  last_failure: true,
  next_attempt_at: true,
  dead_letter_id: true,
  created_at: true,
  updated_at: true,
}).extend({
  /** What the provider answered; `{not_kept}` says why it is not here. */
  result: z.json(),
});
export type TaskExecutionView = z.infer<typeof TaskExecutionView>;

export const taskExecutionView = (execution: TaskExecution): TaskExecutionView =>
  TaskExecutionView.parse({
    ...execution,
    result: execution.result === null ? null : jsonOr(null, execution.result),
  });

function jsonOr(otherwise: unknown, text: string): unknown {
  try {
    return JSON.parse(text);
  } catch {
    return otherwise;
  }
}
