import type { WhereFilterOp } from '@google-cloud/firestore';
import fc from 'fast-check';

/** A value by description, because references belong to one client. */
export type Datum =
  | null
  | boolean
  | number
  | bigint
  | string
  | { readonly time: readonly [seconds: number, nanos: number] }
  | { readonly bytes: readonly number[] }
  | { readonly geo: readonly [latitude: number, longitude: number] }
  | { readonly ref: string }
  | { readonly map: Readonly<Record<string, Datum>> }
  | readonly Datum[];

/** What the server computes from the field's value. */
export type Transform =
  | { readonly transform: 'now' | 'unset' }
  | { readonly transform: 'add' | 'most' | 'least'; readonly operand: number }
  | { readonly transform: 'union' | 'subtract'; readonly operand: readonly Datum[] };

export type Fields = Readonly<Record<string, Datum | Transform>>;

export interface Write {
  readonly kind: 'set' | 'merge' | 'create' | 'update' | 'delete';
  /** Relative to the run's collection. */
  readonly path: string;
  readonly fields: Fields;
  /** `current` and `stale`: the document's last update time as it is, or one that never was. */
  readonly precondition: 'none' | 'exists' | 'current' | 'stale';
}

export type Filter =
  | { readonly field: string; readonly op: WhereFilterOp; readonly value: Datum }
  | { readonly any: readonly Filter[] }
  | { readonly all: readonly Filter[] };

export interface Question {
  readonly isGroup: boolean;
  readonly filters: readonly Filter[];
  readonly orders: readonly { readonly field: string; readonly descending: boolean }[];
  readonly start: Cursor | undefined;
  readonly end: Cursor | undefined;
  readonly limit: { readonly count: number; readonly isLast: boolean } | undefined;
  readonly offset: number;
  readonly select: readonly string[] | undefined;
}

interface Cursor {
  readonly inclusive: boolean;
  readonly values: readonly Datum[];
}

export type Operation =
  | { readonly kind: 'commit'; readonly writes: readonly Write[] }
  | {
      readonly kind: 'transaction';
      readonly reads: readonly string[];
      readonly question: Question | undefined;
      readonly writes: readonly Write[];
    }
  | { readonly kind: 'get'; readonly paths: readonly string[]; readonly mask: readonly string[] }
  | { readonly kind: 'query'; readonly question: Question }
  | { readonly kind: 'aggregate'; readonly question: Question; readonly field: string }
  | { readonly kind: 'list' };

export const GROUP = 'below';
const tops = ['d0', 'd1', 'd2', 'd3', 'd4'];
/** `d8` never exists itself. */
export const PATHS = [...tops, `d0/${GROUP}/x`, `d0/${GROUP}/y`, `d1/${GROUP}/x`, `d8/${GROUP}/z`];

const path = fc.constantFrom(...PATHS);

const rare: fc.Arbitrary<Datum> = fc.constantFrom<Datum[]>(
  null,
  false,
  true,
  Number.NaN,
  Number.NEGATIVE_INFINITY,
  -1,
  0,
  1,
  1.5,
  2,
  2n ** 53n + 1n,
  '',
  'a',
  'aa',
  'é',
  '\u{1f600}',
  { time: [1, 0] },
  { time: [1, 123_456_000] },
  { bytes: [] },
  { bytes: [255, 0] },
  { geo: [1, -2] },
  { ref: 'd0' },
  { ref: 'd1' },
);
/** Mostly one of a few, so that values meet. */
const scalar: fc.Arbitrary<Datum> = fc.oneof(
  { weight: 2, arbitrary: fc.constantFrom<Datum[]>(null, 1, 2, 'a', 'b') },
  { weight: 1, arbitrary: rare },
);
/** Exact as sums whatever the order they are added in. */
const number = fc.constantFrom(-2, 0, 1, 1.5, 7);
const array = fc.array(scalar, { maxLength: 3 });
const someOf = (maxLength: number) => fc.array(scalar, { minLength: 1, maxLength });
const map = fc
  .record({ x: scalar, y: fc.oneof(scalar, array) }, { requiredKeys: [] })
  .map((fields): Datum => ({ map: fields }));
const datum: fc.Arbitrary<Datum> = fc.oneof(
  { weight: 6, arbitrary: scalar },
  { weight: 1, arbitrary: map },
  { weight: 1, arbitrary: array },
);

const transform: fc.Arbitrary<Transform> = fc.oneof(
  fc.constant({ transform: 'now' } as const),
  fc.record({
    transform: fc.constantFrom('add' as const, 'most' as const, 'least' as const),
    operand: number,
  }),
  fc.record({
    transform: fc.constantFrom('union' as const, 'subtract' as const),
    operand: someOf(3),
  }),
);
const unset = fc.constant({ transform: 'unset' } as const);

const values = { a: datum, b: scalar, n: number, tags: array, m: map };
const stored: fc.Arbitrary<Fields> = fc.record(
  { ...values, computed: transform, n: fc.oneof(number, transform) },
  { requiredKeys: [] },
);
const merged: fc.Arbitrary<Fields> = fc.record(
  { ...values, a: fc.oneof(datum, unset), n: fc.oneof(number, transform), tags: transform },
  { requiredKeys: [] },
);
const updated: fc.Arbitrary<Fields> = fc.record(
  { ...values, a: fc.oneof(datum, unset), m: unset, n: fc.oneof(number, transform) },
  { requiredKeys: ['b'] },
);
/** Reaches into the map instead of replacing it. */
const updatedInside: fc.Arbitrary<Fields> = fc.record(
  { 'm.x': fc.oneof(datum, unset, transform), 'm.z.deep': scalar, tags: transform },
  { requiredKeys: ['m.x'] },
);

const none = fc.constant('none' as const);
const write: fc.Arbitrary<Write> = fc.oneof(
  {
    weight: 3,
    arbitrary: fc.record({
      kind: fc.constantFrom('set' as const, 'create' as const),
      path,
      fields: stored,
      precondition: none,
    }),
  },
  {
    weight: 2,
    arbitrary: fc.record({
      kind: fc.constant('merge' as const),
      path,
      fields: merged,
      precondition: none,
    }),
  },
  {
    weight: 3,
    arbitrary: fc.record({
      kind: fc.constant('update' as const),
      path,
      fields: fc.oneof(updated, updatedInside),
      precondition: fc.constantFrom(
        'none' as const,
        'none' as const,
        'none' as const,
        'current' as const,
        'current' as const,
        'stale' as const,
      ),
    }),
  },
  {
    weight: 1,
    arbitrary: fc.record({
      kind: fc.constant('delete' as const),
      path,
      fields: fc.constant({}),
      precondition: fc.constantFrom(
        'none' as const,
        'exists' as const,
        'current' as const,
        'stale' as const,
      ),
    }),
  },
);
const writes = fc.oneof(
  { weight: 3, arbitrary: fc.array(write, { minLength: 1, maxLength: 1 }) },
  { weight: 1, arbitrary: fc.array(write, { minLength: 2, maxLength: 5 }) },
);

const fieldName = fc.constantFrom('a', 'b', 'n', 'm', 'm.x');
const condition: fc.Arbitrary<Filter> = fc.oneof(
  fc.record({
    field: fieldName,
    op: fc.constantFrom<WhereFilterOp>('==', '!='),
    value: datum,
  }),
  fc.record({
    field: fieldName,
    op: fc.constantFrom<WhereFilterOp>('<', '<=', '>', '>='),
    value: scalar.filter((value) => value !== null && !Number.isNaN(value)),
  }),
  fc.record({ field: fieldName, op: fc.constant('in' as const), value: someOf(4) }),
);
const search: fc.Arbitrary<Filter> = fc.oneof(
  fc.record({
    field: fc.constant('tags'),
    op: fc.constant('array-contains' as const),
    value: scalar,
  }),
  fc.record({
    field: fc.constant('tags'),
    op: fc.constant('array-contains-any' as const),
    value: someOf(4),
  }),
);
const exclusion: fc.Arbitrary<Filter> = fc.record({
  field: fieldName,
  op: fc.constant('not-in' as const),
  value: someOf(4),
});
const negations = (filter: Filter): number => {
  if ('any' in filter) return filter.any.reduce((sum, one) => sum + negations(one), 0);
  if ('all' in filter) return filter.all.reduce((sum, one) => sum + negations(one), 0);
  return filter.op === '!=' || filter.op === 'not-in' ? 1 : 0;
};
/** As written: the emulator drops repeated ones before it counts, ours is stricter. */
const disjunctions = (filter: Filter): number => {
  if ('any' in filter) return filter.any.reduce((sum, one) => sum + disjunctions(one), 0);
  if ('all' in filter) return filter.all.reduce((product, one) => product * disjunctions(one), 1);
  const isAny = filter.op === 'in' || filter.op === 'array-contains-any';
  return isAny && Array.isArray(filter.value) ? filter.value.length : 1;
};
const branch = fc.array(condition, { minLength: 1, maxLength: 2 });
const anyFilters: fc.Arbitrary<readonly Filter[]> = fc.oneof(
  fc.constant([]),
  fc.array(condition, { minLength: 1, maxLength: 1 }),
  fc.array(condition, { minLength: 2, maxLength: 2 }),
  fc.tuple(search, fc.array(condition, { maxLength: 1 })).map(([one, more]) => [one, ...more]),
  exclusion.map((one) => [one]),
  fc
    .tuple(branch, branch, fc.array(condition, { maxLength: 1 }))
    .map(([x, y, more]) => [{ any: [{ all: x }, { all: y }] }, ...more]),
);
/** Refused queries are listed in the suite instead: the client asks again for seven seconds. */
const filters = anyFilters.filter((all) => negations({ all }) <= 1 && disjunctions({ all }) <= 30);

const cursor: fc.Arbitrary<Cursor> = fc.record({
  inclusive: fc.boolean(),
  values: fc.tuple(scalar, scalar),
});
const cursors: fc.Arbitrary<Cursor[]> = fc.oneof(
  { weight: 3, arbitrary: fc.constant<Cursor[]>([]) },
  { weight: 1, arbitrary: fc.array(cursor, { maxLength: 2 }) },
);
const question: fc.Arbitrary<Question> = fc
  .record({
    isGroup: fc.boolean(),
    filters,
    orders: fc.uniqueArray(
      fc.record({ field: fc.constantFrom('a', 'b', 'n'), descending: fc.boolean() }),
      { maxLength: 2, selector: (order) => order.field },
    ),
    cursors,
    cursorLength: fc.constantFrom(1, 2),
    limit: fc.option(fc.record({ count: fc.constantFrom(1, 2, 3), isLast: fc.boolean() }), {
      nil: undefined,
    }),
    offset: fc.constantFrom(0, 0, 0, 0, 1),
    select: fc.option(fc.constantFrom(['a'], ['m.x', 'b'], []), { nil: undefined }),
  })
  .map(({ cursors: both, cursorLength, ...one }) => {
    const [start, end] = both.map(({ inclusive, values: all }) => ({
      inclusive,
      values: all.slice(0, Math.min(cursorLength, one.orders.length)),
    }));
    const isOrdered = one.orders.length > 0;
    return {
      ...one,
      start: isOrdered ? start : undefined,
      end: isOrdered ? end : undefined,
      limit: one.limit?.isLast && !isOrdered ? undefined : one.limit,
    };
  });

const operation: fc.Arbitrary<Operation> = fc.oneof(
  { weight: 6, arbitrary: fc.record({ kind: fc.constant('commit' as const), writes }) },
  {
    weight: 1,
    arbitrary: fc.record({
      kind: fc.constant('transaction' as const),
      reads: fc.array(path, { maxLength: 3 }),
      question: fc.option(question, { nil: undefined }),
      writes: fc.array(write, { maxLength: 3 }),
    }),
  },
  {
    weight: 1,
    arbitrary: fc.record({
      kind: fc.constant('get' as const),
      paths: fc.uniqueArray(path, { minLength: 1, maxLength: 4 }),
      mask: fc.constantFrom<string[][]>([], ['a', 'm.x']),
    }),
  },
  { weight: 4, arbitrary: fc.record({ kind: fc.constant('query' as const), question }) },
  {
    weight: 1,
    arbitrary: fc.record({
      kind: fc.constant('aggregate' as const),
      question: question.map((one) => ({ ...one, select: undefined })),
      field: fc.constantFrom('n', 'b'),
    }),
  },
  { weight: 1, arbitrary: fc.constant({ kind: 'list' as const }) },
);

const first = fc.record({
  kind: fc.constant('set' as const),
  path,
  fields: fc.record({ ...values, m: map }, { requiredKeys: ['b', 'n', 'tags'] }),
  precondition: none,
});

/** What is done twice shows whether the second time changes anything. */
const once = operation.map((one) => [one]);
const twice = operation.map((one) => [one, one]);
const step = fc.oneof({ weight: 7, arbitrary: once }, { weight: 1, arbitrary: twice });

/** Begins with documents, so that there is something to find. */
export const sequence: fc.Arbitrary<Operation[]> = fc
  .tuple(
    fc.array(first, { minLength: 4, maxLength: 9 }),
    fc.array(step, { minLength: 1, maxLength: 12 }),
  )
  .map(([documents, steps]) => [{ kind: 'commit', writes: documents }, ...steps.flat()]);
