import type { IndexShape } from './document-index.ts';
import type { Query } from './query.ts';
import { shapesOf } from './query-plan.ts';

export interface WireExplainOptions {
  /** Whether the query is run as well as planned. */
  readonly analyze?: boolean;
}

const text = (stringValue: string) => ({ stringValue });
const struct = (fields: Record<string, object>) => ({ fields });

/** The indexes that production would name; which of several fitting ones it prefers is its secret. */
export function planOf(query: Query, aggregated: readonly string[] = []) {
  const scope = query.scope.kind === 'collection' ? 'Collection' : 'Collection group';
  const extra = aggregated.map((path) => `${path} ASC`);
  const indexes = new Set(shapesOf(query).map((shape) => spell(shape, extra)));
  return {
    indexesUsed: [...indexes].map((properties) =>
      struct({ query_scope: text(scope), properties: text(properties) }),
    ),
  };
}

function spell({ equal, contains, orders }: IndexShape, extra: readonly string[]): string {
  const parts = equal.map((path) => `${path.text} ASC`);
  if (contains) parts.push(`${contains.text} CONTAINS`);
  const sorted = orders.map(
    ({ path, descending }) => `${path.text} ${descending ? 'DESC' : 'ASC'}`,
  );
  return `(${[...parts, ...sorted.slice(0, -1), ...extra, ...sorted.slice(-1)].join(', ')})`;
}

/** @param scanned documents and index entries that the query had to look at */
export function statsOf(run: {
  readonly startedMs: number;
  readonly results: number;
  readonly reads: number;
  readonly scanned: number;
}) {
  const nanos = Math.max(1, Math.round((performance.now() - run.startedMs) * 1e6));
  return {
    resultsReturned: run.results,
    readOperations: run.reads,
    executionDuration: { seconds: Math.floor(nanos / 1e9), nanos: nanos % 1e9 },
    debugStats: struct({
      index_entries_scanned: text(String(run.scanned)),
      documents_scanned: text(String(run.results)),
      billing_details: {
        structValue: struct({
          documents_billable: text(String(run.reads)),
          min_query_cost: text('0'),
        }),
      },
    }),
  };
}
