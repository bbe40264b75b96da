import type { Unary } from '../kernel/grpc.ts';
import { childrenOf } from './children.ts';
import type { Database } from './database.ts';
import { nameOfToken, pageOf } from './pages.ts';
import { checkParent, lastSegment } from './resource-names.ts';

interface ListCollectionIdsRequest {
  readonly parent?: string;
  readonly pageSize?: number;
  readonly pageToken?: string;
}

/** Billed as one read a page. */
export function listCollectionIds({ documents, meter }: Database): Unary<ListCollectionIdsRequest> {
  return ({ parent = '', pageSize, pageToken }) => {
    checkParent(parent);
    const collections = childrenOf(documents, { kind: 'all' }, parent, nameOfToken(pageToken));
    const { names, nextPageToken } = pageOf(collections, pageSize);
    meter.count('reads');
    return { collectionIds: names.map(lastSegment), nextPageToken };
  };
}
