import { compareInOrder, documentValue, type Order, type StoredDocument } from './document.ts';
import type { FieldPath } from './field-path.ts';
import { SortedList } from './sorted-list.ts';
import { equalityKey, joinKeys } from './value-order.ts';
import { elementsOf, type Value } from './values.ts';

/**
 * What an index is made for: fields compared for equality, at most one array searched for an
 * element, and the order wanted. A plain list by name, an inverted index, a sorted field and a
 * composite index are all the same thing under different shapes.
 */
export interface IndexShape {
  readonly equal: readonly FieldPath[];
  readonly contains?: FieldPath | undefined;
  /** Ends with `__name__`. */
  readonly orders: readonly Order[];
}

export const shapeKey = ({ equal, contains, orders }: IndexShape): string =>
  joinKeys([
    joinKeys(equal.map((path) => path.text)),
    contains?.text ?? '',
    ...orders.map(({ path, descending }) => `${descending ? '-' : '+'}${path.text}`),
  ]);

export const groupKey = (equal: readonly Value[], contained?: Value): string =>
  joinKeys([...equal, ...(contained ? [contained] : [])].map(equalityKey));

/** The documents that have every field of the shape, grouped by what is compared for equality, each group sorted. */
export interface DocumentIndex {
  group(key: string): SortedList<StoredDocument> | undefined;
  insert(document: StoredDocument): void;
  remove(document: StoredDocument): void;
}

export function createDocumentIndex(shape: IndexShape): DocumentIndex {
  const groups = new Map<string, SortedList<StoredDocument>>();
  const compare = (a: StoredDocument, b: StoredDocument) => compareInOrder(shape.orders, a, b);
  return {
    group: (key) => groups.get(key),
    insert(document) {
      for (const key of groupKeysOf(document, shape)) {
        let group = groups.get(key);
        if (!group) groups.set(key, (group = new SortedList(compare)));
        group.insert(document);
      }
    },
    remove(document) {
      for (const key of groupKeysOf(document, shape)) {
        const group = groups.get(key);
        group?.remove(document);
        if (group?.size === 0) groups.delete(key);
      }
    },
  };
}

function groupKeysOf(document: StoredDocument, shape: IndexShape): Iterable<string> {
  for (const { path } of shape.orders) {
    if (documentValue(document, path) === undefined) return [];
  }
  const equal: Value[] = [];
  for (const path of shape.equal) {
    const value = documentValue(document, path);
    if (value === undefined) return [];
    equal.push(value);
  }
  if (shape.contains === undefined) return [groupKey(equal)];
  const elements = elementsOf(documentValue(document, shape.contains));
  return new Set(elements.map((element) => groupKey(equal, element)));
}
