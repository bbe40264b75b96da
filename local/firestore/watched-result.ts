import type { StoredDocument } from './document.ts';
import type { Change, Documents } from './documents.ts';
import { isInScope, matches, type Query } from './query.ts';
import { runQuery } from './query-plan.ts';
import { checkDocumentName } from './resource-names.ts';
import type { Micros } from './timestamps.ts';

/** The documents a listener sees, by name. */
export type Result = ReadonlyMap<string, StoredDocument>;

/** Something to listen to, whose result follows the commits. */
export interface WatchedResult {
  /** The result now or, with a time, as it was then. */
  look(readTime?: Micros): Result;
  /** The result after a commit; the very same object when the commit did not touch it. */
  follow(result: Result, changes: readonly Change[]): Result;
}

export function watchDocuments(
  documents: Documents,
  names: readonly string[],
  database: string | undefined,
): WatchedResult {
  for (const name of names) checkDocumentName(name, database);
  const watched = new Set(names);
  return {
    look(readTime) {
      const undone = readTime === undefined ? undefined : documents.undoneSince(readTime);
      const result = new Map<string, StoredDocument>();
      for (const name of watched) {
        const document = undone?.has(name) ? undone.get(name) : documents.get(name);
        if (document) result.set(name, document);
      }
      return result;
    },
    follow: (result, changes) =>
      replaced(
        result,
        changes.filter(({ name }) => watched.has(name)),
      ),
  };
}

export function watchQuery(documents: Documents, query: Query): WatchedResult {
  const isFound = (document: StoredDocument | undefined): document is StoredDocument =>
    document !== undefined && isInScope(query, document) && matches(query, document);
  const isCut = query.limit !== Number.POSITIVE_INFINITY || query.offset > 0;
  const look = (readTime?: Micros): Result =>
    new Map(runQuery(documents, query, readTime).found.map((one) => [one.name, one]));
  return {
    look,
    follow(result, changes) {
      const relevant = changes.flatMap(({ name, before, after }) => {
        if (!isFound(before) && !isFound(after)) return [];
        return { name, before, after: isFound(after) ? after : undefined };
      });
      if (relevant.length === 0) return result;
      // Which document takes a freed place, or loses its own, only the whole query tells.
      return isCut ? look() : replaced(result, relevant);
    },
  };
}

function replaced(result: Result, changes: readonly Change[]): Result {
  if (changes.length === 0) return result;
  const next = new Map(result);
  for (const { name, after } of changes) {
    if (after) next.set(name, after);
    else next.delete(name);
  }
  return next;
}
