import { RpcError, type Unary } from '../kernel/grpc.ts';
import { childrenOf } from './children.ts';
import type { Database } from './database.ts';
import { toWireDocument } from './document.ts';
import type { Scope } from './documents.ts';
import { parseFieldPath } from './field-path.ts';
import { nameOfToken, pageOf } from './pages.ts';
import { parseQuery } from './query.ts';
import { queryDocuments } from './query-documents.ts';
import { checkParent } from './resource-names.ts';
import type { ConsistencySelector, WireMask, WireQuery } from './wire.ts';

interface ListDocumentsRequest extends ConsistencySelector {
  readonly parent?: string;
  readonly collectionId?: string;
  readonly pageSize?: number;
  readonly pageToken?: string;
  readonly orderBy?: string;
  readonly mask?: WireMask;
  readonly showMissing?: boolean;
}

/** A page at a time; on request with the documents that exist only as parents of others. */
export function listDocuments(database: Database): Unary<ListDocumentsRequest> {
  const { documents, indexCheck, meter, transactions } = database;

  /** The present by name, without looking at more than the page. */
  function listNames(request: ListDocumentsRequest) {
    const { parent = '', collectionId = '', showMissing = false } = request;
    const path = `${parent}/${collectionId}`;
    const scope: Scope = showMissing ? { kind: 'all' } : { kind: 'collection', path };
    const after = nameOfToken(request.pageToken);
    const page = pageOf(childrenOf(documents, scope, path, after), request.pageSize);
    return { ...page, find: (name: string) => documents.get(name) };
  }

  async function listByQuery(request: ListDocumentsRequest) {
    const { collectionId = '', showMissing = false } = request;
    if (showMissing) {
      throw new RpcError(
        request.orderBy ? 'INVALID_ARGUMENT' : 'UNIMPLEMENTED',
        'Missing documents are only listed by name, and as they are now.',
      );
    }
    const wire: WireQuery = {
      from: [{ collectionId }],
      orderBy: parseOrderBy(request.orderBy || '__name__'),
    };
    const query = parseQuery(request.parent ?? '', wire);
    indexCheck.check(query);
    const reading = transactions.reading(request);
    const { found } = await queryDocuments(database, query, reading);
    const after = nameOfToken(request.pageToken);
    const start = found.findIndex(({ name }) => name === after) + 1;
    const byName = new Map(found.slice(start).map((document) => [document.name, document]));
    return {
      ...pageOf(byName.keys(), request.pageSize),
      find: (name: string) => byName.get(name),
    };
  }

  return async (request) => {
    checkParent(request.parent ?? '');
    const isPlain = !request.orderBy && !request.readTime && !request.transaction?.length;
    const { names, nextPageToken, find } = isPlain
      ? listNames(request)
      : await listByQuery(request);
    const mask = request.mask && (request.mask.fieldPaths ?? []).map(parseFieldPath);
    meter.count('reads', names.length);
    return {
      documents: names.map((name) => {
        const document = find(name);
        return document ? toWireDocument(document, mask) : { name };
      }),
      nextPageToken,
    };
  };
}

/** `a desc, b` */
const parseOrderBy = (text: string): NonNullable<WireQuery['orderBy']> =>
  text.split(',').map((part) => {
    const [fieldPath = '', direction = 'asc', ...rest] = part.trim().split(/\s+/);
    if (rest.length > 0 || !/^(asc|desc)$/i.test(direction)) {
      throw new RpcError('INVALID_ARGUMENT', `Invalid order_by "${text}".`);
    }
    return {
      field: { fieldPath },
      direction: direction.toLowerCase() === 'desc' ? 'DESCENDING' : 'ASCENDING',
    };
  });
