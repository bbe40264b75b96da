import type { Table } from '../kernel/journal.ts';
import { type DocumentState, documentOf, type StoredDocument } from './document.ts';
import { createHistory } from './history.ts';
import { createIndexSet, type IndexSet } from './index-set.ts';
import { lastSegment, parentOf } from './resource-names.ts';
import type { Micros } from './timestamps.ts';

/** The documents a query looks through: those of one collection, of all of one id, or all there are. */
export type Scope =
  | { readonly kind: 'collection'; readonly path: string }
  | { readonly kind: 'group'; readonly collectionId: string }
  | { readonly kind: 'all' };

/** What one commit has made of one document; undefined where it does not exist. */
export interface Change {
  readonly name: string;
  readonly before: StoredDocument | undefined;
  readonly after: StoredDocument | undefined;
}

type CommitListener = (changes: readonly Change[], at: Micros) => void;

/** All documents of all databases. */
export interface Documents {
  get(name: string): StoredDocument | undefined;
  indexes(scope: Scope): IndexSet;
  /** Stores the outcome of one commit; undefined removes. */
  apply(changes: ReadonlyMap<string, StoredDocument | undefined>, at: Micros): void;
  /** What differs now from the state at `readTime`, each document as it was then. */
  undoneSince(readTime: Micros): ReadonlyMap<string, StoredDocument | undefined>;
  /** Calls `listener` right after every commit that changes something; the result stops that. */
  onCommit(listener: CommitListener): () => void;
  /** When the last change was made before this process began. */
  readonly lastCommitTime: Micros;
  all(): Iterable<StoredDocument>;
}

/** @param times remembers the last deletion, which leaves no document behind to tell of it */
export function createDocuments(table: Table<DocumentState>, times: Table<Micros>): Documents {
  const byName = new Map<string, StoredDocument>();
  const collections = new Map<string, IndexSet>();
  /** Built when first queried, unlike `collections`. */
  const groups = new Map<string, IndexSet>();
  let everything: IndexSet | undefined;
  const listeners = new Set<CommitListener>();
  let lastCommitTime = 0;

  function replace(
    name: string,
    before: StoredDocument | undefined,
    after: StoredDocument | undefined,
  ): void {
    if (after) byName.set(name, after);
    else byName.delete(name);
    const collection = parentOf(name);
    let own = collections.get(collection);
    if (!own) collections.set(collection, (own = createIndexSet()));
    own.replace(before, after);
    if (own.size === 0) collections.delete(collection);
    groups.get(lastSegment(collection))?.replace(before, after);
    everything?.replace(before, after);
  }

  function indexSetOf(documents: Iterable<StoredDocument>): IndexSet {
    const set = createIndexSet();
    for (const document of documents) set.replace(undefined, document);
    return set;
  }

  function* documentsOfGroup(collectionId: string): Generator<StoredDocument> {
    for (const [path, set] of collections) {
      if (lastSegment(path) === collectionId) yield* set.documents();
    }
  }

  for (const [name, state] of table.load()) {
    replace(name, undefined, documentOf(name, state));
    lastCommitTime = Math.max(lastCommitTime, state.updateTime);
  }
  for (const [, time] of times.load()) lastCommitTime = Math.max(lastCommitTime, time);
  const history = createHistory(lastCommitTime);

  return {
    lastCommitTime,
    get: (name) => byName.get(name),
    all: () => byName.values(),
    undoneSince: (readTime) => history.undoneSince(readTime),
    indexes(scope) {
      if (scope.kind === 'collection') return collections.get(scope.path) ?? createIndexSet();
      if (scope.kind === 'all') return (everything ??= indexSetOf(byName.values()));
      let group = groups.get(scope.collectionId);
      if (!group) {
        group = indexSetOf(documentsOfGroup(scope.collectionId));
        groups.set(scope.collectionId, group);
      }
      return group;
    },
    onCommit(listener) {
      listeners.add(listener);
      return () => void listeners.delete(listener);
    },
    apply(changes, at) {
      const applied: Change[] = [];
      for (const [name, after] of changes) {
        const before = byName.get(name);
        if (after === before) continue;
        replace(name, before, after);
        history.record({ at, name, before });
        applied.push({ name, before, after });
        if (after) {
          const { fields, createTime, updateTime } = after;
          table.put(name, { fields, createTime, updateTime });
        } else {
          table.delete(name);
          times.put('last deletion', at);
        }
      }
      if (applied.length > 0) for (const listener of [...listeners]) listener(applied, at);
    },
  };
}
