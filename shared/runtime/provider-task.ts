import { z } from 'zod';

import { AppError } from '../errors.ts';
import { type ProviderError, providerErrorOf } from '../execution/errors.ts';
import type { ProviderBase } from '../execution/provider-base.ts';
import type { ProviderExecutionResult, ProviderFailure } from '../execution/result.ts';
import {
  type Claim,
  type Claimant,
  type FinishedRun,
  type JsonObject,
  ProviderTaskPayload,
  type TaskExecution,
  afterRun,
  claim,
  finishedRun,
  firstRun,
  isRecorded,
  newTaskExecution,
  recordRun,
  taskExecutionRefs,
} from '../execution/task-execution.ts';
import { set } from '../store/decision.ts';
import { type Log, redact } from './log.ts';
import { entryOf } from './manifest.ts';
import type { Services } from './services.ts';
import { type TaskContext, type TaskFunction, task } from './task.ts';

/** Left of the function's time beside the call: to claim it, to save what came of it, and to answer. */
const MARGIN_MS = 15_000;
/** A lease outlasts all that its holder may still do, counted from its claim. */
const LEASE_MARGIN_MS = 30_000;

export interface ProviderTaskSpec {
  /** One line, imperative. */
  readonly summary: string;
  /** Null for a provider or capability that it does not have: the task then fails for good. */
  readonly provider: (
    asked: Pick<TaskExecution, 'provider_name' | 'capability'>,
    services: Services,
  ) => ProviderBase<JsonObject, unknown> | null;
  /** What it has, for whoever asked for something else. */
  readonly known: () => readonly string[];
}

/**
 * Registers a task function that calls a provider, once per idempotency key. It claims the task's
 * document, calls through the execution layer within the function's time, and saves the result, its
 * own next dispatch, or the dead letter. It takes a `ProviderTaskPayload`, and answers 200 whatever
 * the provider does; only a duplicate of a run under way is told to come again.
 */
export const providerTask = (name: string, spec: ProviderTaskSpec): TaskFunction =>
  task(name, {
    summary: spec.summary,
    payload: z.unknown(),
    handle: (payload, context) => runProviderTask(name, spec, payload, context),
  });

/** @throws {AppError} `request_in_progress` while another invocation runs the task */
export async function runProviderTask(
  name: string,
  spec: Pick<ProviderTaskSpec, 'provider' | 'known'>,
  body: unknown,
  context: TaskContext,
): Promise<void> {
  const parsed = ProviderTaskPayload.safeParse(body);
  if (!parsed.success) {
    const wrong = new Set(parsed.error.issues.map(({ path }) => path.join('.') || 'payload'));
    const why = `its payload is not valid: ${[...wrong].join(', ')}`;
    return note(context.log, readable(body), skipped('rejected', 0), why);
  }
  const { task_execution_id: givenId, payload } = parsed.data;
  const asked = newTaskExecution(name, parsed.data, context.at);
  const skip = (outcome: 'duplicate' | 'rejected', attempts: number, why: string) =>
    note(context.log, asked, skipped(outcome, attempts), why);
  if (givenId !== undefined && givenId !== asked.task_execution_id)
    return skip('rejected', 0, 'its id does not follow from its idempotency key');

  const budgetMs = budgetOf(name, asked, context);
  const by = {
    owner: context.randomHex(8),
    at: context.now(),
    leaseMs: budgetMs + LEASE_MARGIN_MS,
  };
  const claimed = await claimOf(asked, givenId === undefined, by, context);
  switch (claimed.kind) {
    case 'rejected':
      return skip('rejected', 0, 'its idempotency key stands for another call');
    case 'duplicate':
      return skip('duplicate', claimed.attempts, 'it has ended, or gone on to a later dispatch');
    case 'busy':
      skip('duplicate', claimed.attempts, 'another invocation runs it');
      throw new AppError('request_in_progress', 'Another invocation runs this task.');
    case 'run':
      break;
  }
  const { execution } = claimed;
  const result = await resultOf(execution, payload, spec, budgetMs, context);
  for (const line of linesOf(execution, result)) note(context.log, execution, line);
  const run = finishedRun(execution, result, context.now(), redact);
  if (!(await record(run, context)))
    skip('duplicate', execution.attempts + run.attempts, 'its lease had ended: another took over');
}

/** The least of what policy, payload and the function's own time allow, in milliseconds. */
function budgetOf(name: string, asked: TaskExecution, { execution }: Services): number {
  const { timeoutBudgetMs } = execution.policyOf(keyOf(asked));
  const functionMs = entryOf('tasks', name).timeout_s * 1_000;
  return Math.min(timeoutBudgetMs, asked.timeout_budget_ms ?? Infinity, functionMs - MARGIN_MS);
}

const keyOf = ({ tenant_id, provider_name, capability }: TaskExecution) => ({
  tenantId: tenant_id,
  providerName: provider_name,
  capability,
});

/** @param isNew nobody is known to have written the document: one write finds out, without a read */
async function claimOf(
  asked: TaskExecution,
  isNew: boolean,
  by: Claimant,
  { store }: Services,
): Promise<Claim> {
  const refs = taskExecutionRefs(asked);
  const first = firstRun(asked, by);
  if (isNew && (await store.append(refs.execution, first)))
    return { kind: 'run', execution: first, isNew };
  return store.revise(refs, ({ execution: found }) => {
    const claimed = claim(found, asked, by);
    return {
      writes:
        claimed.kind === 'run' && claimed.isNew ? [set(refs.execution, claimed.execution)] : [],
      reply: claimed,
    };
  });
}

async function resultOf(
  execution: TaskExecution,
  payload: JsonObject,
  { provider, known }: Pick<ProviderTaskSpec, 'provider' | 'known'>,
  timeoutBudgetMs: number,
  context: TaskContext,
): Promise<ProviderExecutionResult<unknown>> {
  const { correlation_id, idempotency_key, provider_name, capability, attempts } = execution;
  const failed = (error: ProviderError) => ({
    status: 'failed' as const,
    failure: failureOf(error),
    retryAt: null,
    correlationId: correlation_id,
    idempotencyKey: idempotency_key,
    attempts: [],
  });
  const { maxAttempts } = context.execution.policyOf(keyOf(execution)).retry;
  // Runs that ended without a word have used them up.
  if (attempts >= maxAttempts)
    return failed(
      providerErrorOf(
        'internal_error',
        execution.last_failure?.message ?? 'no attempt is left for this task',
      ),
    );
  const called = provider(execution, context);
  if (!called)
    return failed(
      providerErrorOf(
        'bad_request',
        `no such provider: ${provider_name} with ${capability}; known: ${known().join(', ')}`,
      ),
    );
  return called.execute({
    tenantId: execution.tenant_id,
    campaignId: execution.campaign_id,
    operation: execution.operation,
    payload,
    context: {
      correlationId: correlation_id,
      idempotencyKey: idempotency_key,
      taskExecutionId: execution.task_execution_id,
      timeoutBudgetMs,
      attemptsBefore: attempts,
      deadLetters: true,
    },
  });
}

const failureOf = (error: ProviderError): ProviderFailure => ({
  reasonCode: error.reasonCode,
  errorType: error.name,
  message: error.message,
  httpStatus: error.httpStatus,
  retryable: error.retryable,
});

/** @returns false when another has taken over, so that nothing was saved */
async function record(run: FinishedRun, { store, randomHex }: TaskContext): Promise<boolean> {
  const refs = taskExecutionRefs(run);
  if (run.outcome.kind === 'succeeded')
    return store.revise(refs, ({ execution: found }) => {
      const next = afterRun(found, run);
      return { writes: next ? [set(refs.execution, next)] : [], reply: isRecorded(found, run) };
    });
  // Its id need not outlive this invocation: the fence keeps another from deciding again.
  const command = { id: `cmd_${randomHex(20)}`, at: run.ended_at, keyed: false, run };
  return (await store.apply(command, refs, recordRun)).reply.recorded;
}

type Outcome =
  | 'success'
  | 'retry'
  | 'failed'
  | 'dead_letter'
  | 'deferred'
  | 'cancelled'
  | 'duplicate'
  | 'rejected';

interface Line {
  readonly attempt: number;
  readonly reason_code: string | null;
  readonly outcome: Outcome;
}

/** No call was made, or none that counts. */
const skipped = (outcome: 'duplicate' | 'rejected', attempt: number): Line => ({
  attempt,
  reason_code: null,
  outcome,
});

/** One for each attempt, and one for an end that none of them tells of. */
function linesOf(
  { attempts: before }: TaskExecution,
  result: ProviderExecutionResult<unknown>,
): Line[] {
  const lines = result.attempts.map(({ attemptNumber, reasonCode, outcome }): Line => ({
    attempt: attemptNumber,
    reason_code: reasonCode,
    // Only a cancelled attempt fails without a reason.
    outcome: outcome !== 'success' && reasonCode === null ? 'cancelled' : outcome,
  }));
  if (result.status === 'succeeded') return lines;
  const end: Line = {
    attempt: before + lines.length,
    reason_code: result.failure.reasonCode,
    outcome: endOf(result),
  };
  return lines.at(-1)?.outcome === end.outcome ? lines : [...lines, end];
}

function endOf(
  result: Exclude<ProviderExecutionResult<unknown>, { status: 'succeeded' }>,
): Outcome {
  if (result.status === 'failed') return result.retryAt ? 'retry' : 'dead_letter';
  return result.status;
}

type Who = Readonly<
  Record<
    | 'tenant_id'
    | 'campaign_id'
    | 'provider_name'
    | 'capability'
    | 'operation'
    | 'correlation_id'
    | 'idempotency_key',
    string | null
  >
>;

/** What can be told of a payload that is not valid: its names, where they are short texts. */
function readable(body: unknown): Who {
  const given: Record<string, unknown> =
    body !== null && typeof body === 'object' ? { ...body } : {};
  const text = (name: keyof Who) => {
    const value = given[name];
    return typeof value === 'string' && value.length <= 255 ? value : null;
  };
  return {
    tenant_id: text('tenant_id'),
    campaign_id: text('campaign_id'),
    provider_name: text('provider_name'),
    capability: text('capability'),
    operation: text('operation'),
    correlation_id: text('correlation_id'),
    idempotency_key: text('idempotency_key'),
  };
}

const LOUD: ReadonlySet<Outcome> = new Set(['failed', 'dead_letter', 'rejected']);

/** The envelope has these ten fields on every path, and never the payload. */
function note(log: Log, who: Who, line: Line, why?: string): void {
  log[LOUD.has(line.outcome) ? 'warn' : 'info'](
    {
      tenant_id: who.tenant_id,
      campaign_id: who.campaign_id,
      provider_name: who.provider_name,
      capability: who.capability,
      operation: who.operation,
      correlation_id: who.correlation_id,
      idempotency_key: who.idempotency_key,
      attempt: line.attempt,
      reason_code: line.reason_code,
      outcome: line.outcome,
    },
    `provider task ${line.outcome}${why === undefined ? '' : `: ${why}`}`,
  );
}
