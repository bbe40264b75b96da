import { RpcError } from '../kernel/grpc.ts';
import { documentValue, type Order, type StoredDocument } from './document.ts';
import type { Scope } from './documents.ts';
import { type FieldPath, isNamePath, NAME_PATH, parseFieldPath } from './field-path.ts';
import { type Conjunction, holds, isInequality, parseFilter } from './filters.ts';
import { type Nearest, parseNearest } from './nearest.ts';
import { checkParent } from './resource-names.ts';
import { compareUtf8 } from './strings.ts';
import { compareValues } from './value-order.ts';
import { fromWire, NULL, type Value } from './values.ts';
import type { WireCursor, WireQuery } from './wire.ts';

export interface Cursor {
  readonly values: readonly Value[];
  /** Whether the position is just before the documents equal to `values`, or just after them. */
  readonly before: boolean;
}

export interface Query {
  readonly scope: Scope;
  /** The id asked for; empty for a query over all collections. */
  readonly collectionId: string;
  /** Whether the document lies where the query looks; `scope` alone may be wider. */
  readonly covers: (document: StoredDocument) => boolean;
  readonly disjuncts: readonly Conjunction[];
  /** Implied orders included; the last is `__name__`. */
  readonly orders: readonly Order[];
  readonly startAt: Cursor | undefined;
  readonly endAt: Cursor | undefined;
  readonly offset: number;
  readonly limit: number;
  /** Comes after filters, cursors and orders, before offset and limit. */
  readonly nearest: Nearest | undefined;
  readonly select: readonly FieldPath[] | undefined;
}

const badRequest = (message: string): RpcError => new RpcError('INVALID_ARGUMENT', message);

export function parseQuery(parent: string, wire: WireQuery = {}): Query {
  checkParent(parent);
  const { collectionId = '', allDescendants = false } = wire.from?.[0] ?? {};
  const disjuncts = parseFilter(wire.where);
  const orders = completeOrders(wire, disjuncts);
  const limit = wire.limit ? (wire.limit.value ?? 0) : Number.POSITIVE_INFINITY;
  if (limit < 0) throw badRequest('limit is negative');
  if ((wire.offset ?? 0) < 0) throw badRequest('offset is negative');
  return {
    collectionId,
    ...placeOf(parent, collectionId, allDescendants),
    disjuncts,
    orders,
    startAt: parseCursor(wire.startAt, orders),
    endAt: parseCursor(wire.endAt, orders),
    offset: wire.offset ?? 0,
    limit,
    nearest: wire.findNearest && parseNearest(wire.findNearest),
    select: wire.select?.fields?.map(({ fieldPath }) => parseFieldPath(fieldPath)),
  };
}

function placeOf(
  parent: string,
  collectionId: string,
  allDescendants: boolean,
): Pick<Query, 'scope' | 'covers'> {
  const prefix = `${parent}/`;
  if (collectionId !== '' && !allDescendants) {
    return { scope: { kind: 'collection', path: prefix + collectionId }, covers: () => true };
  }
  const scope: Scope = collectionId === '' ? { kind: 'all' } : { kind: 'group', collectionId };
  const isChild = ({ collection }: StoredDocument) => !collection.includes('/', prefix.length);
  return {
    scope,
    covers: (document) => document.name.startsWith(prefix) && (allDescendants || isChild(document)),
  };
}

/** Fields with an inequality are ordered by even when not asked for, then the name makes the order total. */
function completeOrders(wire: WireQuery, disjuncts: readonly Conjunction[]): Order[] {
  const orders = (wire.orderBy ?? []).map(({ field, direction }) => ({
    path: parseFieldPath(field?.fieldPath),
    descending: direction === 'DESCENDING',
  }));
  const descending = orders.at(-1)?.descending ?? false;
  const isOrdered = (path: FieldPath) => orders.some((order) => order.path.text === path.text);
  const unequal = disjuncts.flat().filter(isInequality);
  for (const { path } of unequal.sort((a, b) => compareUtf8(a.path.text, b.path.text))) {
    if (!isOrdered(path) && !isNamePath(path)) orders.push({ path, descending });
  }
  if (!isOrdered(NAME_PATH)) orders.push({ path: NAME_PATH, descending });
  return orders;
}

function parseCursor(wire: WireCursor | undefined, orders: readonly Order[]): Cursor | undefined {
  if (!wire) return undefined;
  const values = (wire.values ?? []).map(fromWire);
  if (values.length > orders.length) throw badRequest('Cursor has too many values.');
  for (const [i, value] of values.entries()) {
    const order = orders[i];
    if (order && isNamePath(order.path) && value.valueType !== 'referenceValue') {
      throw badRequest('The cursor value of __name__ must be a reference.');
    }
  }
  return { values, before: wire.before ?? false };
}

/** Negative when the document comes before the cursor in the query's order, positive when after it. */
export function sideOfCursor(
  { values, before }: Cursor,
  orders: readonly Order[],
  document: StoredDocument,
): number {
  for (const [i, value] of values.entries()) {
    const order = orders[i];
    if (!order) break;
    const ascending = compareValues(documentValue(document, order.path) ?? NULL, value);
    if (ascending !== 0) return order.descending ? -ascending : ascending;
  }
  return before ? 1 : -1;
}

export function isInScope({ scope }: Query, { collection }: StoredDocument): boolean {
  if (scope.kind === 'collection') return collection === scope.path;
  return scope.kind === 'all' || collection.endsWith(`/${scope.collectionId}`);
}

/** Whether a document in the query's scope belongs to the result, limit and offset aside. */
export const matches = (query: Query, document: StoredDocument): boolean =>
  query.covers(document) &&
  query.orders.every(({ path }) => documentValue(document, path) !== undefined) &&
  query.disjuncts.some((conditions) => conditions.every((one) => holds(one, document))) &&
  (!query.startAt || sideOfCursor(query.startAt, query.orders, document) > 0) &&
  (!query.endAt || sideOfCursor(query.endAt, query.orders, document) < 0);
