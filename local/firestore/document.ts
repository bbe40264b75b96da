import { type FieldPath, isNamePath, pick, valueAt } from './field-path.ts';
import { compareIds, compareNames, lastSegment, parentOf } from './resource-names.ts';
import { type Micros, toWireTimestamp } from './timestamps.ts';
import { compareValues } from './value-order.ts';
import { type Fields, NULL, type Value } from './values.ts';

/** One version of a document; a change makes a new object. */
export interface StoredDocument {
  readonly name: string;
  /** Full path of the collection it is in. */
  readonly collection: string;
  readonly id: string;
  readonly fields: Fields;
  readonly createTime: Micros;
  readonly updateTime: Micros;
}

export type DocumentState = Pick<StoredDocument, 'fields' | 'createTime' | 'updateTime'>;

export const documentOf = (
  name: string,
  { fields, createTime, updateTime }: DocumentState,
): StoredDocument => ({
  name,
  collection: parentOf(name),
  id: lastSegment(name),
  fields,
  createTime,
  updateTime,
});

const compareByName = (a: StoredDocument, b: StoredDocument): number =>
  a.collection === b.collection ? compareIds(a.id, b.id) : compareNames(a.name, b.name);

/** A field or `__name__`; undefined when the document lacks it. */
export const documentValue = (document: StoredDocument, path: FieldPath): Value | undefined =>
  isNamePath(path)
    ? { valueType: 'referenceValue', referenceValue: document.name }
    : valueAt(document.fields, path);

export interface Order {
  readonly path: FieldPath;
  readonly descending: boolean;
}

/** The order a query asks for. It ends with `__name__`, so no two documents are equal in it. */
export function compareInOrder(orders: readonly Order[], a: StoredDocument, b: StoredDocument) {
  for (const { path, descending } of orders) {
    const ascending = isNamePath(path)
      ? compareByName(a, b)
      : compareValues(valueAt(a.fields, path) ?? NULL, valueAt(b.fields, path) ?? NULL);
    if (ascending !== 0) return descending ? -ascending : ascending;
  }
  return 0;
}

/** A document as an answer carries it; `mask` limits the fields. */
export const toWireDocument = (document: StoredDocument, mask?: readonly FieldPath[]) => ({
  name: document.name,
  fields: mask ? pick(document.fields, mask) : document.fields,
  createTime: toWireTimestamp(document.createTime),
  updateTime: toWireTimestamp(document.updateTime),
});
