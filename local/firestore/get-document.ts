import { RpcError, type Unary } from '../kernel/grpc.ts';
import type { Database } from './database.ts';
import { toWireDocument } from './document.ts';
import { parseFieldPath } from './field-path.ts';
import { readDocuments } from './read-documents.ts';
import { checkDocumentName } from './resource-names.ts';
import type { ConsistencySelector, WireMask } from './wire.ts';

interface GetDocumentRequest extends ConsistencySelector {
  readonly name?: string;
  readonly mask?: WireMask;
}

export function getDocument(database: Database): Unary<GetDocumentRequest> {
  return async (request) => {
    const { name = '', mask } = request;
    checkDocumentName(name);
    const reading = database.transactions.reading(request);
    const [document] = await readDocuments(database, reading, [name]);
    database.meter.count('reads');
    if (!document) throw new RpcError('NOT_FOUND', `Document "${name}" not found.`);
    return toWireDocument(document, mask && (mask.fieldPaths ?? []).map(parseFieldPath));
  };
}
