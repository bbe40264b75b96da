import type { Database } from './database.ts';
import type { StoredDocument } from './document.ts';
import type { Reading } from './transactions.ts';

/** Reads documents by name as one consistent state, locking and remembering them for a read-write transaction. */
export async function readDocuments(
  { documents, locks }: Database,
  { transaction, snapshot }: Reading,
  names: readonly string[],
): Promise<(StoredDocument | undefined)[]> {
  if (transaction) await locks.share(transaction, names);
  if (transaction) {
    const lookAgain = () => names.map((name) => documents.get(name));
    const seen = lookAgain();
    transaction.observed.push({ seen, lookAgain });
    return seen;
  }
  const undone = snapshot === undefined ? undefined : documents.undoneSince(snapshot);
  return names.map((name) => (undone?.has(name) ? undone.get(name) : documents.get(name)));
}
