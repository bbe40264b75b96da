import type { Database } from './database.ts';
import type { StoredDocument } from './document.ts';
import type { Reading } from './transactions.ts';

/** Reads documents by name as one consistent state, locking them for a read-write transaction. */
export async function readDocuments(
  { documents, locks }: Database,
  { transaction, snapshot }: Reading,
  names: readonly string[],
): Promise<(StoredDocument | undefined)[]> {
  if (transaction) await locks.share(transaction, names);
  const undone = snapshot === undefined ? undefined : documents.undoneSince(snapshot);
  return names.map((name) => (undone?.has(name) ? undone.get(name) : documents.get(name)));
}
