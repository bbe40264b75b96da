import { RpcError, type Unary } from '../kernel/grpc.ts';
import { childrenOf } from './children.ts';
import type { Database } from './database.ts';
import { toWireDocument } from './document.ts';
import type { Scope } from './documents.ts';
import { parseFieldPath } from './field-path.ts';
import { nameOfToken, pageOf } from './pages.ts';
import { checkParent } from './resource-names.ts';
import type { WireMask } from './wire.ts';

interface ListDocumentsRequest {
  readonly parent?: string;
  readonly collectionId?: string;
  readonly pageSize?: number;
  readonly pageToken?: string;
  readonly orderBy?: string;
  readonly mask?: WireMask;
  readonly showMissing?: boolean;
  readonly readTime?: object;
  readonly transaction?: Uint8Array;
}

/** By name, a page at a time; on request with the documents that exist only as parents of others. */
export function listDocuments({ documents, meter }: Database): Unary<ListDocumentsRequest> {
  return (request) => {
    const { parent = '', collectionId = '', showMissing = false } = request;
    checkParent(parent);
    if (request.readTime || request.transaction?.length) {
      throw new RpcError('UNIMPLEMENTED', 'ListDocuments only reads the present.');
    }
    if (request.orderBy && request.orderBy !== '__name__') {
      throw new RpcError('UNIMPLEMENTED', 'ListDocuments only orders by __name__.');
    }
    const path = `${parent}/${collectionId}`;
    const scope: Scope = showMissing ? { kind: 'all' } : { kind: 'collection', path };
    const after = nameOfToken(request.pageToken);
    const { names, nextPageToken } = pageOf(
      childrenOf(documents, scope, path, after),
      request.pageSize,
    );
    const mask = request.mask && (request.mask.fieldPaths ?? []).map(parseFieldPath);
    meter.count('reads', names.length);
    return {
      documents: names.map((name) => {
        const document = documents.get(name);
        return document ? toWireDocument(document, mask) : { name };
      }),
      nextPageToken,
    };
  };
}
