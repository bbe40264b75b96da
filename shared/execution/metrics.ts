import { z } from 'zod';

import { collection } from '../store/collection.ts';
import { Timestamp } from '../time.ts';
import { REASON_CODES } from './reasons.ts';

/** Rows of one document: more would be many index entries for one write. */
const ROWS_MAX = 100;
/** From the first row of a document to its last, so that a search by time knows where to begin. */
export const PACK_SPAN_MS = 3_600_000;
const DAY_MS = 86_400_000;

const OUTCOMES = ['success', 'retry', 'failed', 'dead_letter'] as const;

/** One attempt: the columns of the specification. */
export const AttemptRow = z.object({
  /** The document's id and the place in it: `pem_…_0`. */
  id: z.string(),
  tenant_id: z.string(),
  task_execution_id: z.string().nullable(),
  provider_name: z.string(),
  capability: z.string(),
  operation: z.string(),
  idempotency_key: z.string(),
  correlation_id: z.string(),
  /** From 1, counted across reschedulings of the same task. */
  attempt_number: z.int().positive(),
  max_attempts: z.int().positive(),
  duration_ms: z.number(),
  timeout_budget_ms: z.number(),
  outcome: z.enum(OUTCOMES),
  reason_code: z.enum(REASON_CODES).nullable(),
  retryable: z.boolean(),
  http_status: z.int().nullable(),
  created_at: Timestamp,
});
export type AttemptRow = z.infer<typeof AttemptRow>;

/** A row as it is stored: its id follows from its place. */
const StoredAttempt = AttemptRow.omit({ id: true });
export type NewAttempt = z.infer<typeof StoredAttempt>;

/**
 * One attempt that did not succeed, or a pack of successes: of one tenant and capability either way.
 * Never changed; deleted by TTL after `expire_at`.
 */
export const ExecutionMetrics = z.object({
  id: z.string(),
  tenant_id: z.string(),
  capability: z.string(),
  /** Those of the rows, for `array-contains`. */
  provider_names: z.array(z.string()).min(1),
  correlation_ids: z.array(z.string()).min(1),
  outcome: z.enum(OUTCOMES),
  /** Oldest first. */
  rows: z.array(StoredAttempt).min(1).max(ROWS_MAX),
  /** That of the last row. */
  created_at: Timestamp,
  expire_at: z.date(),
});
export type ExecutionMetrics = z.infer<typeof ExecutionMetrics>;

export const executionMetrics = collection('provider_execution_metrics', ExecutionMetrics);

interface Placing {
  /** Of the document. */
  readonly id: string;
  readonly retentionDays: number;
}

/** The document of one attempt, whatever came of it. */
export const singleOf = (row: NewAttempt, placing: Placing): ExecutionMetrics =>
  documentOf([row], row, placing);

/**
 * The document of successes; `packable` makes what fits into one.
 *
 * @throws {RangeError} unless they are 1 to 100 successes of one tenant and capability
 */
export function packOf(rows: readonly NewAttempt[], placing: Placing): ExecutionMetrics {
  const [first] = rows;
  if (!first || rows.length > ROWS_MAX) throw new RangeError(`a pack has 1 to ${ROWS_MAX} rows`);
  let isInOrder = true;
  let last = first;
  // One pass, as this is most of what a counted success costs.
  for (const row of rows) {
    if (
      row.outcome !== 'success' ||
      row.tenant_id !== first.tenant_id ||
      row.capability !== first.capability
    )
      throw new RangeError('a pack has successes of one tenant and capability');
    // Timestamps have one form: their text sorts as their time.
    if (row.created_at < last.created_at) isInOrder = false;
    else last = row;
  }
  return documentOf(isInOrder ? rows : rows.toSorted(byTime), last, placing);
}

const byTime = (a: NewAttempt, b: NewAttempt): number =>
  a.created_at < b.created_at ? -1 : Number(a.created_at > b.created_at);

/**
 * Cuts rows, oldest first, where a pack is full or would span more than `PACK_SPAN_MS`.
 *
 * @param rowsMax 100 at most
 */
export function packable<Row extends Pick<NewAttempt, 'created_at'>>(
  rows: readonly Row[],
  rowsMax: number,
): Row[][] {
  const packs: Row[][] = [];
  let pack: Row[] = [];
  let endsAt = '';
  for (const row of rows) {
    if (pack.length === rowsMax || row.created_at > endsAt) {
      packs.push((pack = []));
      endsAt = new Date(Date.parse(row.created_at) + PACK_SPAN_MS).toISOString();
    }
    pack.push(row);
  }
  return packs;
}

function documentOf(
  rows: readonly NewAttempt[],
  last: NewAttempt,
  { id, retentionDays }: Placing,
): ExecutionMetrics {
  // Neighbours are often alike: each once among them is enough for `array-contains`.
  const providerNames: string[] = [];
  const correlationIds: string[] = [];
  let providerName: string | undefined;
  let correlationId: string | undefined;
  for (const row of rows) {
    if (row.provider_name !== providerName) providerNames.push((providerName = row.provider_name));
    if (row.correlation_id !== correlationId)
      correlationIds.push((correlationId = row.correlation_id));
  }
  return {
    id,
    tenant_id: last.tenant_id,
    capability: last.capability,
    provider_names: providerNames,
    correlation_ids: correlationIds,
    outcome: last.outcome,
    rows: rows as NewAttempt[],
    created_at: last.created_at,
    expire_at: new Date(Date.parse(last.created_at) + retentionDays * DAY_MS),
  };
}

/** The rows of a document, oldest first. */
export const rowsOf = ({ id, rows }: Pick<ExecutionMetrics, 'id' | 'rows'>): AttemptRow[] =>
  rows.map((row, index) => ({ id: `${id}_${index}`, ...row }));

/** What a list of attempts is narrowed to. */
export interface AttemptFilter {
  readonly provider_name?: string | undefined;
  readonly capability?: string | undefined;
  readonly outcome?: AttemptRow['outcome'] | undefined;
  readonly correlation_id?: string | undefined;
  /** ISO 8601: at or after `from`, before `to`. */
  readonly from?: string | undefined;
  readonly to?: string | undefined;
}

/** Whether a row is among what was asked for. */
export function matchesFilter(row: AttemptRow, filter: AttemptFilter): boolean {
  const { provider_name, capability, outcome, correlation_id, from, to } = filter;
  const atMs = Date.parse(row.created_at);
  return (
    (provider_name === undefined || row.provider_name === provider_name) &&
    (capability === undefined || row.capability === capability) &&
    (outcome === undefined || row.outcome === outcome) &&
    (correlation_id === undefined || row.correlation_id === correlation_id) &&
    (from === undefined || atMs >= Date.parse(from)) &&
    (to === undefined || atMs < Date.parse(to))
  );
}
