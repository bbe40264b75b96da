import {
  type AttemptFilter,
  type AttemptRow,
  type ExecutionMetrics,
  PACK_SPAN_MS,
  executionMetrics,
  matchesFilter,
  rowsOf,
} from '../execution/metrics.ts';
import { cursorOf, valuesOf } from './cursor.ts';
import type { Query, Store } from './services.ts';
import { invalid } from './validate.ts';

/** Documents hold 1 to 100 attempts: the first few may be enough for a page, or hundreds too few. */
const FIRST_READ = 10;
const READ_MAX = 100;
/** Documents that one page reads at most: few of their attempts may be among those asked for. */
const SCAN_MAX = 500;
/** The last time that sorts as text. */
const END_OF_TIME_MS = Date.UTC(9999, 11, 31, 23, 59, 59, 999);

/** How far a list has come: so many attempts of this document, or all of it when 0. */
interface Place {
  readonly createdAt: string;
  readonly offset: number;
  readonly id: string;
}

/**
 * A page of a tenant's attempts: newest document first, its newest attempt first. It ends at exactly
 * `limit` attempts, inside a pack too. Without attempts it has a next cursor only where `SCAN_MAX`
 * documents held none of those asked for.
 *
 * @param cursor from the page before, of the same tenant and filter
 * @throws {AppError} `invalid_request` for anything that is not such a cursor
 */
export async function attemptPage(
  store: Store,
  tenantId: string,
  filter: AttemptFilter,
  { limit, cursor }: { readonly limit: number; readonly cursor?: string | undefined },
): Promise<{ attempts: AttemptRow[]; nextCursor: string | null }> {
  const begin = cursor === undefined ? null : placeOf(cursor);
  const attempts: AttemptRow[] = [];
  let place = begin;
  let reading = Math.min(limit + 1, FIRST_READ);
  for (let left = SCAN_MAX; left > 0; reading = Math.min(2 * reading, READ_MAX, left)) {
    const page = await store.query({
      ...documentsOf(tenantId, filter),
      limit: reading,
      cursor: place ? startOf(place) : undefined,
    });
    left -= reading;
    for (const doc of page.docs) {
      // A document that is no longer there is skipped whole, and its offset with it.
      const skipped = doc.id === begin?.id ? begin.offset : 0;
      for (const [index, row] of rowsOf(doc).toReversed().entries()) {
        if (index < skipped) continue;
        if (matchesFilter(row, filter)) {
          if (attempts.length === limit) return { attempts, nextCursor: place && textOf(place) };
          attempts.push(row);
        }
        const offset = index + 1 < doc.rows.length ? index + 1 : 0;
        place = { createdAt: doc.created_at, offset, id: doc.id };
      }
    }
    if (page.nextCursor === null) return { attempts, nextCursor: null };
    if (attempts.length === limit) break;
  }
  return { attempts, nextCursor: place && textOf(place) };
}

/** The documents that may hold attempts of the filter: one `array-contains` is all that a query takes. */
function documentsOf(
  tenantId: string,
  { provider_name, capability, outcome, correlation_id, from, to }: AttemptFilter,
): Pick<Query<ExecutionMetrics>, 'collection' | 'where' | 'orderBy'> {
  const narrowed =
    // There are few of one correlation id.
    correlation_id !== undefined
      ? [{ field: 'correlation_ids', op: 'array-contains', value: correlation_id } as const]
      : [
          { field: 'provider_names', op: 'array-contains', value: provider_name } as const,
          { field: 'capability', op: '==', value: capability } as const,
          { field: 'outcome', op: '==', value: outcome } as const,
        ];
  const times = [
    { field: 'created_at', op: '>=', value: from && sortable(Date.parse(from)) } as const,
    // A document has the time of its last row.
    {
      field: 'created_at',
      op: '<=',
      value: to && sortable(Date.parse(to) + PACK_SPAN_MS),
    } as const,
  ];
  return {
    collection: executionMetrics,
    where: [
      { field: 'tenant_id', op: '==', value: tenantId } as const,
      ...[...narrowed, ...times].filter(({ value }) => value !== undefined),
    ],
    orderBy: { field: 'created_at', descending: true },
  };
}

const sortable = (ms: number): string => new Date(Math.min(ms, END_OF_TIME_MS)).toISOString();

/** The store's cursor after which the place comes next: no id stands between `id` and `id-`. */
const startOf = ({ createdAt, offset, id }: Place): string =>
  cursorOf([createdAt, offset === 0 ? id : `${id}-`]);

const textOf = ({ createdAt, offset, id }: Place): string => cursorOf([createdAt, offset, id]);

function placeOf(cursor: string): Place {
  const [createdAt, offset, id] = valuesOf(cursor, 3);
  if (
    typeof createdAt !== 'string' ||
    typeof id !== 'string' ||
    typeof offset !== 'number' ||
    !Number.isSafeInteger(offset) ||
    offset < 0
  )
    throw invalid([{ field: 'query.cursor', reason: 'is not a cursor; take it from next_cursor' }]);
  return { createdAt, offset, id };
}
