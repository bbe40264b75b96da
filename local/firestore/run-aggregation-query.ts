import { RpcError, type ServerStream } from '../kernel/grpc.ts';
import type { Database } from './database.ts';
import { documentValue, type StoredDocument } from './document.ts';
import { type FieldPath, isNamePath, parseFieldPath } from './field-path.ts';
import { planOf, statsOf, type WireExplainOptions } from './explain.ts';
import { parseQuery, type Query } from './query.ts';
import { runQuery } from './query-plan.ts';
import { compareUtf8 } from './strings.ts';
import { toWireTimestamp } from './timestamps.ts';
import {
  isNumber,
  NULL,
  type NumberValue,
  ofDouble,
  ofInteger,
  toNumber,
  type Value,
} from './values.ts';
import type { ConsistencySelector, WireField, WireQuery } from './wire.ts';

const AGGREGATIONS_MAX = 5;
const INDEX_ENTRIES_PER_READ = 1000;

interface WireAggregation {
  readonly alias?: string;
  readonly count?: { readonly upTo?: { readonly value?: string } };
  readonly sum?: { readonly field?: WireField };
  readonly avg?: { readonly field?: WireField };
}

interface RunAggregationQueryRequest extends ConsistencySelector {
  readonly parent?: string;
  readonly structuredAggregationQuery?: {
    readonly structuredQuery?: WireQuery;
    readonly aggregations?: readonly WireAggregation[];
  };
  readonly explainOptions?: WireExplainOptions;
}

type Aggregation =
  | { readonly kind: 'count'; readonly max: number }
  | { readonly kind: 'sum' | 'avg'; readonly path: FieldPath };

/** Counting and adding is billed by the index entries looked at, a thousand to a read. */
export function runAggregationQuery(database: Database): ServerStream<RunAggregationQueryRequest> {
  const { documents, indexCheck, meter, timeline, transactions } = database;
  return (request, send) => {
    const startedMs = performance.now();
    const { structuredQuery, aggregations = [] } = request.structuredAggregationQuery ?? {};
    if (aggregations.length === 0 || aggregations.length > AGGREGATIONS_MAX) {
      throw new RpcError('INVALID_ARGUMENT', `1 to ${AGGREGATIONS_MAX} aggregations are needed.`);
    }
    const wanted = aggregations.map(parseAggregation);
    const paths = wanted.flatMap((one) => (one.kind === 'count' ? [] : [one.path]));
    const parsed = parseQuery(request.parent ?? '', structuredQuery);
    checkProjection(parsed, paths);
    checkOrders(structuredQuery ?? {}, paths);
    const aggregated = paths.map(({ text }) => text);
    indexCheck.check(parsed, aggregated);
    const explained = request.explainOptions && {
      planSummary: planOf(parsed, aggregated),
    };
    if (explained && !request.explainOptions?.analyze) {
      meter.count('reads');
      send({ explainMetrics: explained });
      return;
    }
    const query = havingAll(parsed, paths);
    const reading = transactions.reading(request);
    if (reading.begun) send({ transaction: reading.begun });

    const look = () => runQuery(documents, query, reading.snapshot);
    const { found, skipped } = look();
    // Locking what was counted would lock whole collections; the commit counts again instead.
    reading.transaction?.observed.push({ seen: found, lookAgain: () => look().found });

    const aggregateFields: Record<string, Value> = {};
    for (const [i, aggregation] of wanted.entries()) {
      aggregateFields[aggregations[i]?.alias ?? `field_${i + 1}`] = aggregate(aggregation, found);
    }
    const readTime = toWireTimestamp(reading.snapshot ?? timeline.read());
    const scanned = found.length + skipped;
    const reads = Math.max(1, Math.ceil(scanned / INDEX_ENTRIES_PER_READ));
    meter.count('reads', reads);
    const run = { startedMs, reads, results: 1, scanned };
    send({
      result: { aggregateFields },
      readTime,
      ...(explained && { explainMetrics: { ...explained, executionStats: statsOf(run) } }),
    });
  };
}

function parseAggregation({ count, sum, avg }: WireAggregation): Aggregation {
  if (count) {
    return { kind: 'count', max: Number(count.upTo?.value ?? Number.POSITIVE_INFINITY) };
  }
  const path = parseFieldPath((sum ?? avg)?.field?.fieldPath);
  return { kind: sum ? 'sum' : 'avg', path };
}

/** What is added up must be among the fields that the query returns, if it names them. */
function checkProjection({ select }: Query, paths: readonly FieldPath[]): void {
  const missing = paths.find(({ text }) => select?.every((one) => one.text !== text));
  if (!select || !missing) return;
  throw new RpcError(
    'INVALID_ARGUMENT',
    select.every(isNamePath)
      ? 'Aggregation over non-key properties is not supported for base query that only returns keys.'
      : `The aggregation property ${missing.text} is not present in the base query's property mask.`,
  );
}

/**
 * Only documents that have every added-up field take part, because only they are in its index. It is
 * sorted by these fields last, which decides what a limit or an offset leaves out.
 */
function havingAll(query: Query, paths: readonly FieldPath[]): Query {
  const orders = query.orders.slice(0, -1);
  const byName = query.orders.slice(-1);
  const descending = byName[0]?.descending ?? false;
  for (const path of [...paths].sort((a, b) => compareUtf8(a.text, b.text))) {
    if (!orders.some((order) => order.path.text === path.text)) orders.push({ path, descending });
  }
  return { ...query, orders: [...orders, ...byName] };
}

/** The name makes an order total, so no index has added-up fields after it. */
function checkOrders({ orderBy = [] }: WireQuery, paths: readonly FieldPath[]): void {
  const ordered = orderBy.map(({ field }) => parseFieldPath(field?.fieldPath));
  const after = paths.filter(({ text }) => ordered.every((one) => one.text !== text));
  if (after.length === 0 || !ordered.some(isNamePath)) return;
  const fields = after.map(({ text }) => text).join(', ');
  throw new RpcError(
    'INVALID_ARGUMENT',
    `This query requires an index that has fields [${fields}] after __name__ and Firestore does not currently support such an index. Please try the query again with additional ordering on those fields.`,
  );
}

function aggregate(aggregation: Aggregation, found: readonly StoredDocument[]): Value {
  if (aggregation.kind === 'count') return ofInteger(Math.min(found.length, aggregation.max));
  const numbers: NumberValue[] = [];
  for (const document of found) {
    const value = documentValue(document, aggregation.path);
    if (value && isNumber(value)) numbers.push(value);
  }
  if (aggregation.kind === 'sum') return sumOf(numbers);
  return numbers.length === 0 ? NULL : ofDouble(toNumber(sumOf(numbers)) / numbers.length);
}

/** An integer as long as all are integers and 64 bits suffice. */
function sumOf(numbers: readonly NumberValue[]): NumberValue {
  let integers = 0n;
  let doubles = 0;
  let isInteger = true;
  for (const number of numbers) {
    if (number.valueType === 'integerValue') {
      integers += BigInt(number.integerValue);
    } else {
      doubles += number.doubleValue;
      isInteger = false;
    }
  }
  if (isInteger && BigInt.asIntN(64, integers) === integers) return ofInteger(integers);
  return ofDouble(Number(integers) + doubles);
}
