import { isDeepStrictEqual } from 'node:util';

import type { Database } from './database.ts';
import type { StoredDocument } from './document.ts';
import type { Documents } from './documents.ts';
import { type Micros, toWireTimestamp } from './timestamps.ts';
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
  const applied = writes.map((write) => applyWrite(write, staged, commitTime));
  keepUnchanged(changes, documents);
  const writeResults = applied.map((result, i) => {
    const document = changes.get(writes[i]?.name ?? '');
    return document && result.updateTime
      ? { ...result, updateTime: toWireTimestamp(document.updateTime) }
      : result;
  });
  documents.apply(changes, commitTime);
  billWrites(meter, writes);
  return { writeResults, commitTime };
}

/** What several writes together leave as it was keeps its update time, unless it was deleted meanwhile. */
function keepUnchanged(
  changes: Map<string, StoredDocument | undefined>,
  documents: Documents,
): void {
  for (const [name, next] of changes) {
    const stored = documents.get(name);
    if (!next || next.createTime !== stored?.createTime) continue;
    if (isDeepStrictEqual(next.fields, stored.fields)) changes.set(name, stored);
  }
}
