import type { ServerStream } from '../kernel/grpc.ts';
import type { Database } from './database.ts';
import { toWireDocument } from './document.ts';
import { parseFieldPath } from './field-path.ts';
import { readDocuments } from './read-documents.ts';
import { checkDocumentName } from './resource-names.ts';
import { toWireTimestamp } from './timestamps.ts';
import type { ConsistencySelector, WireMask } from './wire.ts';

interface BatchGetDocumentsRequest extends ConsistencySelector {
  readonly database?: string;
  readonly documents?: readonly string[];
  readonly mask?: WireMask;
}

/** A missing document is billed like a found one. */
export function batchGetDocuments(database: Database): ServerStream<BatchGetDocumentsRequest> {
  const { meter, timeline, transactions } = database;
  return async (request, send) => {
    const names = [...new Set(request.documents)];
    for (const name of names) checkDocumentName(name, request.database);
    const mask = request.mask && (request.mask.fieldPaths ?? []).map(parseFieldPath);
    const reading = transactions.reading(request);
    if (reading.begun) send({ transaction: reading.begun });
    const documents = await readDocuments(database, reading, names);
    const readTime = toWireTimestamp(reading.snapshot ?? timeline.read());
    for (const [i, document] of documents.entries()) {
      const outcome = document ? { found: toWireDocument(document, mask) } : { missing: names[i] };
      send({ ...outcome, readTime });
    }
    meter.count('reads', names.length);
  };
}
