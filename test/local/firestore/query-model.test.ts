import { FieldPath, type Firestore, type Query, type WhereFilterOp } from '@google-cloud/firestore';
import fc from 'fast-check';
import { afterAll, beforeAll, expect, test } from 'vitest';

import { startFirestore, type TestFirestore } from './support.ts';

/**
 * Random documents and queries, answered by the server from its indexes and by a model that filters
 * and sorts everything. Values are small and of few kinds, so that ties and mixtures are common.
 */
type Scalar = null | boolean | number | string;
type Fields = { a?: Scalar; b?: Scalar; tags?: Scalar[] };

interface Condition {
  readonly field: 'a' | 'b' | 'tags';
  readonly op: WhereFilterOp;
  readonly value: Scalar | readonly Scalar[];
}

interface Question {
  readonly conditions: readonly Condition[];
  readonly orders: readonly { readonly field: 'a' | 'b'; readonly descending: boolean }[];
  readonly start: { readonly value: Scalar; readonly inclusive: boolean } | undefined;
  readonly offset: number;
  readonly limit: number;
}

const kindOf = (value: Scalar): number =>
  value === null ? 0 : typeof value === 'boolean' ? 1 : typeof value === 'number' ? 2 : 3;

function compare(x: Scalar, y: Scalar): number {
  if (kindOf(x) !== kindOf(y)) return kindOf(x) - kindOf(y);
  if (x === y || (Number.isNaN(x) && Number.isNaN(y))) return 0;
  if (Number.isNaN(x)) return -1;
  if (Number.isNaN(y)) return 1;
  return (x as string) < (y as string) ? -1 : 1;
}

const same = (x: Scalar, y: Scalar) => compare(x, y) === 0;
const isOdd = (value: Scalar) => value === null || Number.isNaN(value);
const listed = (value: Scalar, list: readonly Scalar[]) =>
  list.some((one) => !isOdd(one) && same(one, value));

function holds(fields: Fields, { field, op, value }: Condition): boolean {
  const actual = fields[field];
  if (actual === undefined) return false;
  if (Array.isArray(actual)) {
    return actual.some((one) => listed(one, Array.isArray(value) ? value : [value]));
  }
  if (Array.isArray(value)) {
    if (op === 'in') return listed(actual, value);
    return actual !== null && !value.includes(null) && !value.some((one) => same(one, actual));
  }
  const bound = value as Scalar;
  const order = compare(actual, bound);
  if (op === '==') return order === 0;
  if (op === '!=') return actual !== null && order !== 0;
  if (kindOf(actual) !== kindOf(bound) || Number.isNaN(actual)) return false;
  return { '<': order < 0, '<=': order <= 0, '>': order > 0, '>=': order >= 0 }[op as '<'];
}

const isInequality = ({ op }: Condition) => ['<', '<=', '>', '>=', '!=', 'not-in'].includes(op);

function model(documents: ReadonlyMap<string, Fields>, question: Question): string[] {
  const descending = question.orders.at(-1)?.descending ?? false;
  const orders = [...question.orders];
  for (const field of ['a', 'b'] as const) {
    const implied = question.conditions.some((one) => isInequality(one) && one.field === field);
    if (implied && !orders.some((one) => one.field === field)) orders.push({ field, descending });
  }
  const ids = [...documents].filter(
    ([, fields]) =>
      question.conditions.every((one) => holds(fields, one)) &&
      orders.every(({ field }) => fields[field] !== undefined),
  );
  ids.sort(([idOfX, x], [idOfY, y]) => {
    for (const order of orders) {
      const ascending = compare(x[order.field] as Scalar, y[order.field] as Scalar);
      if (ascending !== 0) return order.descending ? -ascending : ascending;
    }
    return descending ? compare(idOfY, idOfX) : compare(idOfX, idOfY);
  });
  const { start } = question;
  const first = question.orders[0];
  const after = ids.filter(([, fields]) => {
    if (!start || !first) return true;
    const order = compare(fields[first.field] as Scalar, start.value);
    const ahead = first.descending ? -order : order;
    return start.inclusive ? ahead >= 0 : ahead > 0;
  });
  return after.slice(question.offset, question.offset + question.limit).map(([id]) => id);
}

function ask(collection: Query, question: Question): Query {
  let query = collection;
  for (const { field, op, value } of question.conditions) query = query.where(field, op, value);
  for (const { field, descending } of question.orders) {
    query = query.orderBy(field, descending ? 'desc' : 'asc');
  }
  // The name's order is asked for only to show that it changes nothing when it is the implied one.
  if (question.offset === 0) {
    const descending = question.orders.at(-1)?.descending ?? false;
    if (!question.conditions.some(isInequality)) {
      query = query.orderBy(FieldPath.documentId(), descending ? 'desc' : 'asc');
    }
  }
  if (question.start && question.orders.length > 0) {
    const { inclusive, value } = question.start;
    query = inclusive ? query.startAt(value) : query.startAfter(value);
  }
  return query.offset(question.offset).limit(question.limit);
}

const scalar: fc.Arbitrary<Scalar> = fc.constantFrom<Scalar[]>(
  null,
  true,
  false,
  Number.NaN,
  -1,
  0,
  1,
  1.5,
  2,
  '',
  'a',
  'aa',
  'b',
);
const plain = scalar.filter((value) => !isOdd(value));
const fields: fc.Arbitrary<Fields> = fc.record(
  { a: scalar, b: scalar, tags: fc.array(scalar, { maxLength: 3 }) },
  { requiredKeys: [] },
);
const field = fc.constantFrom('a' as const, 'b' as const);
const list = (maxLength: number) => fc.uniqueArray(scalar, { minLength: 1, maxLength });
const condition: fc.Arbitrary<Condition> = fc.oneof(
  fc.record({ field, op: fc.constantFrom('==' as const, '!=' as const), value: scalar }),
  fc.record({
    field,
    op: fc.constantFrom<WhereFilterOp>('<', '<=', '>', '>='),
    value: plain,
  }),
  fc.record({ field, op: fc.constant('in' as const), value: list(3) }),
);
const search: fc.Arbitrary<Condition> = fc.oneof(
  fc.record({
    field: fc.constant('tags' as const),
    op: fc.constant('array-contains' as const),
    value: plain,
  }),
  fc.record({
    field: fc.constant('tags' as const),
    op: fc.constant('array-contains-any' as const),
    value: list(4),
  }),
);
const exclusion = fc.record({ field, op: fc.constant('not-in' as const), value: list(3) });
const conditions = fc.oneof(
  fc
    .array(condition, { maxLength: 3 })
    .filter((all) => all.filter(({ op }) => op === '!=').length <= 1),
  fc.tuple(fc.array(condition, { maxLength: 1 }), search).map(([others, one]) => [...others, one]),
  exclusion.map((one) => [one]),
);
const question: fc.Arbitrary<Question> = fc.record({
  conditions,
  orders: fc.uniqueArray(fc.record({ field, descending: fc.boolean() }), {
    maxLength: 2,
    selector: (order) => order.field,
  }),
  start: fc.option(fc.record({ value: scalar, inclusive: fc.boolean() }), { nil: undefined }),
  offset: fc.constantFrom(0, 0, 0, 1, 3),
  limit: fc.constantFrom(1, 2, 5, 100),
});

/** Every composite index that a question can need. */
function allIndexes() {
  const directions = ['ASCENDING', 'DESCENDING'];
  const single = (names: readonly string[]) =>
    names.flatMap((fieldPath) => directions.map((order) => [{ fieldPath, order }]));
  const pairs = single(['a', 'b']).flatMap(([x]) =>
    single(['a', 'b'])
      .filter(([y]) => x?.fieldPath !== y?.fieldPath)
      .map(([y]) => [x, y]),
  );
  const suffixes = [...single(['a', 'b']), ...pairs];
  const tags = { fieldPath: 'tags', arrayConfig: 'CONTAINS' };
  return [...pairs, ...suffixes.map((suffix) => [tags, ...suffix])].map((indexed) => ({
    collectionGroup: 'documents',
    fields: indexed.filter((one) => one !== undefined),
  }));
}

let firestore: TestFirestore;
let db: Firestore;
let runs = 0;
beforeAll(async () => {
  firestore = await startFirestore({ indexes: { indexes: allIndexes() } });
  db = firestore.client;
});
afterAll(() => firestore.stop());

const change = fc.record({
  id: fc.constantFrom(...Array.from({ length: 12 }, (_, i) => `d${i}`)),
  fields: fc.option(fields, { nil: undefined }),
});
const step = fc.record({
  changes: fc.array(change, { maxLength: 12 }),
  questions: fc.array(question, { minLength: 1, maxLength: 4 }),
});

test('every query gives what filtering and sorting all documents gives, after any changes', async () => {
  await fc.assert(
    fc.asyncProperty(fc.array(step, { minLength: 1, maxLength: 3 }), async (steps) => {
      const collection = db.collection(`runs/${++runs}/documents`);
      const documents = new Map<string, Fields>();
      for (const { changes, questions } of steps) {
        const batch = db.batch();
        for (const { id, fields: next } of changes) {
          if (next) {
            batch.set(collection.doc(id), next);
            documents.set(id, next);
          } else {
            batch.delete(collection.doc(id));
            documents.delete(id);
          }
        }
        await batch.commit();
        for (const one of questions) {
          const { docs } = await ask(collection, one).get();
          expect(docs.map(({ id }) => id)).toEqual(model(documents, one));
        }
      }
    }),
    { numRuns: 150 },
  );
});
