import { compareInOrder, documentValue, type StoredDocument } from './document.ts';
import { groupKey, type IndexShape } from './document-index.ts';
import type { Documents } from './documents.ts';
import { isNamePath } from './field-path.ts';
import { type Condition, type Conjunction, isEquality, sideOfRange } from './filters.ts';
import { nearestOf } from './nearest.ts';
import { isInScope, matches, type Query, sideOfCursor } from './query.ts';
import type { Micros } from './timestamps.ts';
import { NULL } from './values.ts';

/** What a query found; skipped documents are billed like returned ones. */
export interface QueryResult {
  readonly found: readonly StoredDocument[];
  readonly skipped: number;
  /** Of each found document, when it was looked for by its vector. */
  readonly distances: ReadonlyMap<StoredDocument, number> | undefined;
  /** Vectors compared to find the nearest. */
  readonly vectorsRead: number;
}

/** @param readTime a time in the past to read at; undefined for the present */
export function runQuery(documents: Documents, query: Query, readTime?: Micros): QueryResult {
  const undone = readTime === undefined ? undefined : documents.undoneSince(readTime);
  let inOrder: Iterable<StoredDocument> = undone?.size
    ? scanPast(documents, query, undone)
    : merge(documents, query);
  let distances: Map<StoredDocument, number> | undefined;
  let vectorsRead = 0;
  if (query.nearest) {
    const candidates = [...inOrder];
    vectorsRead = candidates.length;
    const neighbours = nearestOf(query.nearest, candidates);
    distances = new Map(neighbours.map(({ document, distance }) => [document, distance]));
    inOrder = distances.keys();
  }
  const found: StoredDocument[] = [];
  let skipped = 0;
  if (query.limit === 0) return { found, skipped, distances, vectorsRead };
  for (const document of inOrder) {
    if (skipped < query.offset) skipped++;
    else if (found.push(document) >= query.limit) break;
  }
  return { found, skipped, distances, vectorsRead };
}

/** Reads in the past are rare and short-lived: they look at every document instead of at an index. */
function scanPast(
  documents: Documents,
  query: Query,
  undone: ReadonlyMap<string, StoredDocument | undefined>,
): StoredDocument[] {
  const candidates: StoredDocument[] = [];
  for (const document of documents.indexes(query.scope).documents()) {
    if (!undone.has(document.name)) candidates.push(document);
  }
  for (const document of undone.values()) {
    if (document && isInScope(query, document)) candidates.push(document);
  }
  return candidates
    .filter((document) => matches(query, document))
    .sort((a, b) => compareInOrder(query.orders, a, b));
}

/** Merges the disjuncts' results, each already in order; a document several of them found counts once. */
function* merge(documents: Documents, query: Query): Generator<StoredDocument> {
  const heads: { readonly rest: Iterator<StoredDocument>; document: StoredDocument }[] = [];
  for (const conditions of query.disjuncts) {
    const rest = scan(documents, query, conditions)[Symbol.iterator]();
    const first = rest.next();
    if (!first.done) heads.push({ rest, document: first.value });
  }
  let last: StoredDocument | undefined;
  while (heads.length > 0) {
    let lowest = 0;
    for (let i = 1; i < heads.length; i++) {
      const head = heads[i];
      const low = heads[lowest];
      if (head && low && compareInOrder(query.orders, head.document, low.document) < 0) lowest = i;
    }
    const head = heads[lowest];
    if (!head) return;
    if (head.document !== last) yield head.document;
    last = head.document;
    const next = head.rest.next();
    if (next.done) heads.splice(lowest, 1);
    else head.document = next.value;
  }
}

/** Walks the one index that has the conjunction's equalities and the query's order; other conditions are checked on the way. */
function* scan(
  documents: Documents,
  query: Query,
  conditions: Conjunction,
): Generator<StoredDocument> {
  const own: Query = { ...query, disjuncts: [conditions] };
  const named = conditions.find((one) => isEquality(one) && isNamePath(one.path));
  if (named?.value.valueType === 'referenceValue') {
    const document = documents.get(named.value.referenceValue);
    if (document && isInScope(query, document) && matches(own, document)) yield document;
    return;
  }
  const { bounds, key, shape } = access(query, conditions);
  const group = documents.indexes(query.scope).index(shape).group(key);
  for (const document of group?.scan((one) => side(query, bounds, one) < 0) ?? []) {
    if (side(query, bounds, document) > 0) return;
    if (matches(own, document)) yield document;
  }
}

/** The indexes a query is answered from. */
export const shapesOf = (query: Query): IndexShape[] =>
  query.disjuncts.map((conditions) => access(query, conditions).shape);

function access({ orders }: Query, conditions: Conjunction) {
  const equalities = new Map<string, Condition>();
  for (const condition of conditions) {
    if (isEquality(condition) && !equalities.has(condition.path.text)) {
      equalities.set(condition.path.text, condition);
    }
  }
  const equal = [...equalities.keys()].sort().flatMap((text) => equalities.get(text) ?? []);
  const contained = conditions.find(({ op }) => op === 'ARRAY_CONTAINS');
  const first = orders[0];
  return {
    shape: { equal: equal.map(({ path }) => path), contains: contained?.path, orders },
    key: groupKey(
      equal.map(({ value }) => value),
      contained?.value,
    ),
    /** Ranges over the field the index is sorted by first. */
    bounds: conditions.filter(({ path }) => path.text === first?.path.text),
  };
}

/** Where a document lies against the part of the index to walk; never decreasing along the index. */
function side(query: Query, bounds: readonly Condition[], document: StoredDocument): number {
  const { startAt, endAt, orders } = query;
  const [first] = orders;
  if (first && bounds.length > 0) {
    const value = documentValue(document, first.path) ?? NULL;
    for (const bound of bounds) {
      const ascending = sideOfRange(bound, value);
      if (ascending !== 0) return first.descending ? -ascending : ascending;
    }
  }
  if (startAt && sideOfCursor(startAt, orders, document) < 0) return -1;
  if (endAt && sideOfCursor(endAt, orders, document) > 0) return 1;
  return 0;
}
