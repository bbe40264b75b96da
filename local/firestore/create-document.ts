import { randomBytes } from 'node:crypto';

import type { Unary } from '../kernel/grpc.ts';
import type { Database } from './database.ts';
import { checkParent } from './resource-names.ts';
import { updateDocument } from './update-document.ts';
import type { WireDocument, WireMask } from './wire.ts';

interface CreateDocumentRequest {
  readonly parent?: string;
  readonly collectionId?: string;
  /** Left out: the server invents one. */
  readonly documentId?: string;
  readonly document?: WireDocument;
  readonly mask?: WireMask;
}

/** Google's client does not call this: it commits. */
export function createDocument(database: Database): Unary<CreateDocumentRequest> {
  const update = updateDocument(database);
  return ({ parent = '', collectionId = '', documentId, document, mask }) => {
    checkParent(parent);
    const id = documentId || randomBytes(10).toString('hex');
    return update({
      document: { ...document, name: `${parent}/${collectionId}/${id}` },
      ...(mask && { mask }),
      currentDocument: { exists: false },
    });
  };
}
