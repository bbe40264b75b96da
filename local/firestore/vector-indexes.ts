import { RpcError } from '../kernel/grpc.ts';
import { isNamePath } from './field-path.ts';
import type { CompositeIndex } from './index-definitions.ts';
import type { Nearest } from './nearest.ts';
import type { Query } from './query.ts';
import { compareUtf8 } from './strings.ts';

/** A vector is only searched by an index of its length that has all fields filtered by, too. */
export function checkVectorIndex(
  indexes: readonly CompositeIndex[],
  query: Query,
  { path, vector }: Nearest,
): void {
  const queryScope = query.scope.kind === 'group' ? 'COLLECTION_GROUP' : 'COLLECTION';
  const filtered = query.disjuncts.flat().filter((condition) => !isNamePath(condition.path));
  const wanted = [...new Set(filtered.map((condition) => condition.path.text))].sort(compareUtf8);
  const isServed = indexes.some(({ collectionGroup, fields, ...index }) => {
    const last = fields.at(-1);
    const others = fields.slice(0, -1).map(({ fieldPath }) => fieldPath);
    return (
      collectionGroup === query.collectionId &&
      index.queryScope === queryScope &&
      last?.fieldPath === path.text &&
      last.vectorConfig?.dimension === vector.length &&
      others.length === wanted.length &&
      others.sort(compareUtf8).every((other, i) => other === wanted[i])
    );
  });
  if (isServed) return;
  const missing: CompositeIndex = {
    collectionGroup: query.collectionId,
    queryScope,
    fields: [
      ...wanted.map((fieldPath) => ({ fieldPath, order: 'ASCENDING' })),
      { fieldPath: path.text, vectorConfig: { dimension: vector.length, flat: {} } },
    ],
  };
  throw new RpcError(
    'FAILED_PRECONDITION',
    `Missing vector index configuration. Add it to firestore.indexes.json: ${JSON.stringify(missing)}`,
  );
}
