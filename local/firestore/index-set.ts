import type { StoredDocument } from './document.ts';
import {
  createDocumentIndex,
  type DocumentIndex,
  type IndexShape,
  shapeKey,
} from './document-index.ts';
import { NAME_PATH } from './field-path.ts';

/** Beyond this the index unused for longest is dropped: the next query that needs it builds it again. */
const INDEXES_MAX = 48;

const BY_NAME: IndexShape = { equal: [], orders: [{ path: NAME_PATH, descending: false }] };
const BY_NAME_KEY = shapeKey(BY_NAME);

/** The documents of one collection, or of one collection group, and the indexes its queries called for. */
export interface IndexSet {
  readonly size: number;
  documents(): Iterable<StoredDocument>;
  /** Built on first use and kept up to date from then on. */
  index(shape: IndexShape): DocumentIndex;
  replace(before: StoredDocument | undefined, after: StoredDocument | undefined): void;
}

export function createIndexSet(): IndexSet {
  const byName = createDocumentIndex(BY_NAME);
  /** In order of last use. */
  const indexes = new Map<string, DocumentIndex>();
  const all = () => byName.group('');

  function build(shape: IndexShape): DocumentIndex {
    const index = createDocumentIndex(shape);
    for (const document of all()?.scan() ?? []) index.insert(document);
    return index;
  }

  return {
    get size() {
      return all()?.size ?? 0;
    },
    documents: () => all()?.scan() ?? [],
    index(shape) {
      const key = shapeKey(shape);
      if (key === BY_NAME_KEY) return byName;
      const index = indexes.get(key) ?? build(shape);
      indexes.delete(key);
      indexes.set(key, index);
      if (indexes.size > INDEXES_MAX) {
        const [unused = key] = indexes.keys();
        indexes.delete(unused);
      }
      return index;
    },
    replace(before, after) {
      for (const index of [byName, ...indexes.values()]) {
        if (before) index.remove(before);
        if (after) index.insert(after);
      }
    },
  };
}
