import type { Unary } from '../kernel/grpc.ts';
import type { Database } from './database.ts';
import type { WirePrecondition } from './wire.ts';
import { writeOne } from './write-one.ts';

interface DeleteDocumentRequest {
  readonly name?: string;
  readonly currentDocument?: WirePrecondition;
}

/** Google's client does not call this: it commits. */
export function deleteDocument(database: Database): Unary<DeleteDocumentRequest> {
  return async ({ name = '', currentDocument }) => {
    await writeOne(database, {
      operation: 'delete',
      delete: name,
      ...(currentDocument && { currentDocument }),
    });
    return {};
  };
}
