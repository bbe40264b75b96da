import type { Ref } from '../store/collection.ts';
import type { Breaker } from './breaker.ts';
import type { ProviderError } from './errors.ts';

/** What one execution brings beside its payload. */
export interface ProviderExecutionContext {
  /** Ties together what happens for one cause; made when absent. */
  readonly correlationId?: string;
  /** The same for every repetition of the work; the correlation id when absent. */
  readonly idempotencyKey?: string;
  /** The row of `task_executions` that this is done for. */
  readonly taskExecutionId?: string;
  /** Shortens the policy's budget: the whole call, every attempt and wait included. */
  readonly timeoutBudgetMs?: number;
  /** Attempts that earlier executions of the same task made; they count against `max_attempts`. */
  readonly attemptsBefore?: number;
  /** No attempt is due at or after it. */
  readonly notAfter?: Date;
  /** Aborting it cancels the call, a wait between attempts included. */
  readonly signal?: AbortSignal;
  /** Whether the caller writes a dead letter when nothing more is tried; the last attempt says so. */
  readonly deadLetters?: boolean;
  /** Where the breaker is kept, if not in the key's own health state. */
  readonly breakerHome?: BreakerHome;
}

/** A breaker that travels on a document which its callers read anyway. */
export interface BreakerHome {
  readonly ref: Ref<unknown>;
  /** As just read. */
  readonly known: Breaker;
  /** Both take the document that `ref` names. */
  readonly read: (doc: never) => Breaker;
  readonly write: (doc: never, breaker: Breaker, at: Date) => unknown;
}

/** One execution, as its caller asks for it. */
export interface ExecutionRequest<Payload> {
  readonly tenantId: string;
  /** The rfq_id or run_id it belongs to. */
  readonly campaignId: string | null;
  /** What is done, in the provider's words: `rfq.published`, `list_costs`. */
  readonly operation: string;
  readonly payload: Payload;
  readonly context?: ProviderExecutionContext;
}

/** One attempt, as `executeImpl` sees it. */
export interface ProviderCall<Payload> {
  readonly tenantId: string;
  readonly campaignId: string | null;
  readonly operation: string;
  readonly payload: Payload;
  readonly correlationId: string;
  readonly idempotencyKey: string;
  /** From 1, counted over all executions of the task. */
  readonly attempt: number;
  /** Aborted when the budget ends or the caller cancels. */
  readonly signal: AbortSignal;
  /** What is left of the budget, in milliseconds. */
  readonly remainingMs: number;
  /** Notes the provider's HTTP status of this attempt, for the metrics of a success. */
  answered(httpStatus: number): void;
}

/** What the execution layer runs. */
export interface ProviderTarget<Payload, Value> {
  readonly providerName: string;
  readonly capability: string;
  readonly invoke: (call: ProviderCall<Payload>) => Promise<Value>;
  readonly errorOf: (thrown: unknown) => ProviderError;
}
