import { RpcError, type Unary } from '../kernel/grpc.ts';
import type { Database } from './database.ts';
import { toWireDocument } from './document.ts';
import { parseFieldPath } from './field-path.ts';
import type { WireDocument, WireMask, WirePrecondition } from './wire.ts';
import { writeOne } from './write-one.ts';

interface UpdateDocumentRequest {
  readonly document?: WireDocument;
  readonly updateMask?: WireMask;
  /** What the answer shows. */
  readonly mask?: WireMask;
  readonly currentDocument?: WirePrecondition;
}

/** Google's client does not call this: it commits. */
export function updateDocument(database: Database): Unary<UpdateDocumentRequest> {
  return async ({ document = {}, updateMask, mask, currentDocument }) => {
    await writeOne(database, {
      operation: 'update',
      update: document,
      ...(updateMask && { updateMask }),
      ...(currentDocument && { currentDocument }),
    });
    const stored = database.documents.get(document.name ?? '');
    if (!stored) throw new RpcError('ABORTED', 'The document was deleted meanwhile.');
    return toWireDocument(stored, mask && (mask.fieldPaths ?? []).map(parseFieldPath));
  };
}
