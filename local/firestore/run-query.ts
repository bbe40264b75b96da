import type { ServerStream } from '../kernel/grpc.ts';
import type { Database } from './database.ts';
import { type StoredDocument, toWireDocument } from './document.ts';
import { withValueAt } from './field-path.ts';
import { planOf, statsOf, type WireExplainOptions } from './explain.ts';
import { parseQuery, type Query } from './query.ts';
import { queryDocuments } from './query-documents.ts';
import type { QueryResult } from './query-plan.ts';
import { toWireTimestamp } from './timestamps.ts';
import { ofDouble } from './values.ts';
import type { ConsistencySelector, WireQuery } from './wire.ts';

/** What one read pays for in a vector index. */
const VECTORS_PER_READ = 100;

interface RunQueryRequest extends ConsistencySelector {
  readonly parent?: string;
  readonly structuredQuery?: WireQuery;
  readonly explainOptions?: WireExplainOptions;
}

/** Returned and skipped documents are billed; finding nothing costs one read. */
export function runQuery(database: Database): ServerStream<RunQueryRequest> {
  const { indexCheck, meter, timeline, transactions } = database;
  return async (request, send) => {
    const startedMs = performance.now();
    const query = parseQuery(request.parent ?? '', request.structuredQuery);
    indexCheck.check(query);
    const explained = request.explainOptions && { planSummary: planOf(query) };
    if (explained && !request.explainOptions?.analyze) {
      meter.count('reads');
      send({ explainMetrics: explained });
      return;
    }
    const reading = transactions.reading(request);
    if (reading.begun) send({ transaction: reading.begun });
    const result = await queryDocuments(database, query, reading);
    const { found, skipped } = result;
    const readTime = toWireTimestamp(reading.snapshot ?? timeline.read());
    const reads = Math.max(1, found.length + skipped) + vectorReads(result);
    meter.count('reads', reads);
    const run = { startedMs, reads, results: found.length, scanned: found.length + skipped };
    const first = skipped > 0 ? { skippedResults: skipped } : {};
    const last = explained && {
      explainMetrics: { ...explained, executionStats: statsOf(run) },
    };
    if (found.length === 0) send({ readTime, ...first, ...last });
    for (const [i, document] of found.entries()) {
      send({
        document: answer(query, result, document),
        readTime,
        ...(i === 0 && first),
        ...(i === found.length - 1 && last),
      });
    }
  };
}

/** A distance that is asked for comes along whatever the projection. */
function answer({ nearest, select }: Query, { distances }: QueryResult, document: StoredDocument) {
  const wire = toWireDocument(document, select);
  const distance = distances?.get(document);
  if (distance === undefined || !nearest?.resultPath) return wire;
  return { ...wire, fields: withValueAt(wire.fields, nearest.resultPath, ofDouble(distance)) };
}

const vectorReads = ({ vectorsRead }: QueryResult): number =>
  Math.ceil(vectorsRead / VECTORS_PER_READ);
