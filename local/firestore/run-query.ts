import { RpcError, type ServerStream } from '../kernel/grpc.ts';
import type { Database } from './database.ts';
import { toWireDocument } from './document.ts';
import { parseQuery, type Query } from './query.ts';
import { type QueryResult, runQuery as resultOf } from './query-plan.ts';
import { toWireTimestamp } from './timestamps.ts';
import type { Reading } from './transactions.ts';
import type { ConsistencySelector, WireQuery } from './wire.ts';

interface RunQueryRequest extends ConsistencySelector {
  readonly parent?: string;
  readonly structuredQuery?: WireQuery;
  readonly explainOptions?: object;
}

/** Returned and skipped documents are billed; finding nothing costs one read. */
export function runQuery(database: Database): ServerStream<RunQueryRequest> {
  const { indexCheck, meter, timeline, transactions } = database;
  return async (request, send) => {
    if (request.explainOptions) {
      throw new RpcError('UNIMPLEMENTED', 'Query Explain is not imitated.');
    }
    const query = parseQuery(request.parent ?? '', request.structuredQuery);
    indexCheck.check(query);
    const reading = transactions.reading(request);
    if (reading.begun) send({ transaction: reading.begun });
    const { found, skipped } = await queryInTransaction(database, query, reading);
    const readTime = toWireTimestamp(reading.snapshot ?? timeline.read());
    if (found.length === 0) send({ readTime, skippedResults: skipped });
    for (const [i, document] of found.entries()) {
      const first = i === 0 && skipped > 0 ? { skippedResults: skipped } : {};
      send({ document: toWireDocument(document, query.select), readTime, ...first });
    }
    meter.count('reads', Math.max(1, found.length + skipped));
  };
}

/** Runs the query again until it finds only what is locked, and remembers it for the commit. */
async function queryInTransaction(
  { documents, locks }: Database,
  query: Query,
  { transaction, snapshot }: Reading,
): Promise<QueryResult> {
  const look = () => resultOf(documents, query, snapshot);
  let result = look();
  if (!transaction) return result;
  const namesOf = ({ found }: QueryResult) => found.map(({ name }) => name);
  do {
    await locks.share(transaction, namesOf(result));
    result = look();
  } while (!namesOf(result).every((name) => transaction.held.has(name)));
  transaction.observed.push({ seen: result.found, lookAgain: () => look().found });
  return result;
}
