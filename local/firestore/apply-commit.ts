import type { Database } from './database.ts';
import type { StoredDocument } from './document.ts';
import type { Micros } from './timestamps.ts';
import { applyWrite, billWrites, type Write, type WriteResult } from './writes.ts';

/** Applies all writes or, if one is refused, none. Locks are the caller's business. */
export function applyCommit(
  { documents, timeline, meter }: Database,
  writes: readonly Write[],
): { writeResults: WriteResult[]; commitTime: Micros } {
  const commitTime = timeline.commit();
  const changes = new Map<string, StoredDocument | undefined>();
  const staged = {
    get: (name: string) => (changes.has(name) ? changes.get(name) : documents.get(name)),
    set: (name: string, document: StoredDocument | undefined) => void changes.set(name, document),
  };
  const writeResults = writes.map((write) => applyWrite(write, staged, commitTime));
  documents.apply(changes, commitTime);
  billWrites(meter, writes);
  return { writeResults, commitTime };
}
