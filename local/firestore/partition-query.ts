import { RpcError, type Unary } from '../kernel/grpc.ts';
import type { Database } from './database.ts';
import { nameOfToken, pageOf } from './pages.ts';
import { parseQuery } from './query.ts';
import { queryDocuments } from './query-documents.ts';
import { compareNames } from './resource-names.ts';
import type { ConsistencySelector, WireQuery } from './wire.ts';

/** Partitions are not made smaller than this. */
const PARTITION_DOCUMENTS_MIN = 128;

interface PartitionQueryRequest extends Pick<ConsistencySelector, 'readTime'> {
  readonly parent?: string;
  readonly structuredQuery?: WireQuery;
  readonly partitionCount?: string;
  readonly pageSize?: number;
  readonly pageToken?: string;
}

/** Names at which to cut a collection group into parts of equal size, at most as many as asked for. */
export function partitionQuery(database: Database): Unary<PartitionQueryRequest> {
  return async (request) => {
    const { from, where, limit, offset, startAt, endAt, findNearest } =
      request.structuredQuery ?? {};
    const isWhole = !where && !limit && !offset && !startAt && !endAt && !findNearest;
    if (!isWhole || !from?.[0]?.allDescendants) {
      throw new RpcError('INVALID_ARGUMENT', 'Only a whole collection group can be partitioned.');
    }
    const count = Number(request.partitionCount ?? 0);
    if (count < 1) throw new RpcError('INVALID_ARGUMENT', 'partition_count must be positive.');
    const query = parseQuery(request.parent ?? '', request.structuredQuery);
    const reading = database.transactions.reading(request);
    const { found } = await queryDocuments(database, query, reading);
    const size = Math.max(PARTITION_DOCUMENTS_MIN, Math.ceil(found.length / (count + 1)));
    const after = nameOfToken(request.pageToken);
    const cuts: string[] = [];
    for (let i = size; i < found.length; i += size) {
      const name = found[i]?.name ?? '';
      if (after === '' || compareNames(name, after) > 0) cuts.push(name);
    }
    database.meter.count('reads');
    const { names, nextPageToken } = pageOf(cuts, request.pageSize);
    const partitions = names.map((referenceValue) => ({ values: [{ referenceValue }] }));
    return { partitions, nextPageToken };
  };
}
