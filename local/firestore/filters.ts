import { RpcError } from '../kernel/grpc.ts';
import { documentValue, type StoredDocument } from './document.ts';
import { type FieldPath, isNamePath, parseFieldPath } from './field-path.ts';
import { compareValues, equalValues, typeRank } from './value-order.ts';
import { elementsOf, fromWire, isNaNValue, isNull, NAN, NULL, type Value } from './values.ts';
import type { WireFilter } from './wire.ts';

const DISJUNCTIONS_MAX = 30;
const IN_VALUES_MAX = 30;
const NOT_IN_VALUES_MAX = 10;

/** `IN_ONE` is one value of an `in`: like `EQUAL`, except that null and NaN match nothing. */
type Operator = 'EQUAL' | 'IN_ONE' | 'ARRAY_CONTAINS' | 'NOT_EQUAL' | 'NOT_IN' | RangeOperator;
type RangeOperator = keyof typeof RANGES;

/** What a value's order relative to the bound must be. */
const RANGES = {
  LESS_THAN: (order: number) => order < 0,
  LESS_THAN_OR_EQUAL: (order: number) => order <= 0,
  GREATER_THAN: (order: number) => order > 0,
  GREATER_THAN_OR_EQUAL: (order: number) => order >= 0,
};

export interface Condition {
  readonly path: FieldPath;
  readonly op: Operator;
  readonly value: Value;
}

/** Conditions that must all hold. A query is a list of these of which one must hold. */
export type Conjunction = readonly Condition[];

export const isEquality = ({ op }: Condition): boolean => op === 'EQUAL' || op === 'IN_ONE';
export const isInequality = (condition: Condition): boolean =>
  !isEquality(condition) && condition.op !== 'ARRAY_CONTAINS';

const badRequest = (message: string): RpcError => new RpcError('INVALID_ARGUMENT', message);

/** Disjunctive normal form, in which `in` and `array-contains-any` are disjunctions too. */
export function parseFilter(filter: WireFilter | undefined): Conjunction[] {
  if (!filter) return [[]];
  checkCombination(filter);
  const disjuncts = expand(filter);
  for (const conjunction of disjuncts) {
    if (conjunction.filter(({ op }) => op === 'ARRAY_CONTAINS').length > 1) {
      throw badRequest("A maximum of 1 'ARRAY_CONTAINS' filter is allowed per disjunction.");
    }
  }
  return disjuncts;
}

function expand(filter: WireFilter): Conjunction[] {
  const { compositeFilter, fieldFilter, unaryFilter } = filter;
  if (compositeFilter) {
    const parts = compositeFilter.filters ?? [];
    if (parts.length === 0) throw badRequest('A composite filter must have at least one filter.');
    if (compositeFilter.op === 'OR') return limited(parts.flatMap(expand));
    return parts
      .map(expand)
      .reduce<Conjunction[]>(
        (product, part) =>
          limited(product.flatMap((left) => part.map((right) => [...left, ...right]))),
        [[]],
      );
  }
  if (unaryFilter) return [[unaryCondition(unaryFilter.op, fieldOf(unaryFilter.field))]];
  if (!fieldFilter) throw badRequest('A filter must be set.');
  const path = fieldOf(fieldFilter.field);
  const value = fromWire(fieldFilter.value ?? {});
  return limited(fieldConditions(fieldFilter.op ?? '', path, value).map((one) => [one]));
}

const fieldOf = (field: { readonly fieldPath?: string } | undefined): FieldPath =>
  parseFieldPath(field?.fieldPath);

function limited(disjuncts: Conjunction[]): Conjunction[] {
  if (disjuncts.length > DISJUNCTIONS_MAX) {
    throw badRequest(
      `The query has ${disjuncts.length} disjunctions after normalization; at most ${DISJUNCTIONS_MAX} are supported.`,
    );
  }
  return disjuncts;
}

function unaryCondition(op: string | undefined, path: FieldPath): Condition {
  switch (op ?? '') {
    case 'IS_NULL':
      return { path, op: 'EQUAL', value: NULL };
    case 'IS_NAN':
      return { path, op: 'EQUAL', value: NAN };
    case 'IS_NOT_NULL':
      return { path, op: 'NOT_EQUAL', value: NULL };
    case 'IS_NOT_NAN':
      return { path, op: 'NOT_EQUAL', value: NAN };
    default:
      throw badRequest('A unary filter must have an operator.');
  }
}

function fieldConditions(op: string, path: FieldPath, value: Value): Condition[] {
  if (isNamePath(path)) checkNameFilter(op, value);
  switch (op) {
    case 'EQUAL':
    case 'ARRAY_CONTAINS':
    case 'LESS_THAN':
    case 'LESS_THAN_OR_EQUAL':
    case 'GREATER_THAN':
    case 'GREATER_THAN_OR_EQUAL':
    case 'NOT_EQUAL':
      return [{ path, op, value }];
    case 'NOT_IN':
      checkList(op, value, NOT_IN_VALUES_MAX);
      return [{ path, op, value }];
    case 'IN':
      return checkList(op, value, IN_VALUES_MAX).map((one) => ({
        path,
        op: 'IN_ONE',
        value: one,
      }));
    case 'ARRAY_CONTAINS_ANY':
      return checkList(op, value, IN_VALUES_MAX).map((one) => ({
        path,
        op: 'ARRAY_CONTAINS',
        value: one,
      }));
    default:
      throw badRequest('A field filter must have an operator.');
  }
}

function checkList(op: string, value: Value, max: number): readonly Value[] {
  const values = elementsOf(value);
  if (values.length === 0) throw badRequest(`'${op}' requires a non-empty ArrayValue.`);
  if (values.length > max) throw badRequest(`'${op}' supports up to ${max} comparison values.`);
  return values;
}

function checkNameFilter(op: string, value: Value): void {
  const isKey = (one: Value) => one.valueType === 'referenceValue';
  const isList = op === 'IN' || op === 'NOT_IN';
  if (isList ? elementsOf(value).every(isKey) : isKey(value)) return;
  throw badRequest('__key__ filter value must be a Key');
}

const NEGATIONS = ['NOT_EQUAL', 'NOT_IN', 'IS_NOT_NAN', 'IS_NOT_NULL'];

/** One negation a query; `not-in` keeps no company with other disjunctions either. */
function checkCombination(filter: WireFilter): void {
  const ops = operatorsOf(filter);
  if (ops.filter((op) => NEGATIONS.includes(op)).length > 1) {
    throw badRequest(
      "Only a single 'NOT_EQUAL', 'NOT_IN', 'IS_NOT_NAN', or 'IS_NOT_NULL' filter allowed per query.",
    );
  }
  if (!ops.includes('NOT_IN')) return;
  for (const other of ['OR', 'IN', 'ARRAY_CONTAINS_ANY']) {
    if (ops.includes(other)) {
      throw badRequest(`'NOT_IN' cannot be used in the same query with '${other}'.`);
    }
  }
}

const operatorsOf = ({ compositeFilter, fieldFilter, unaryFilter }: WireFilter): string[] =>
  compositeFilter
    ? [compositeFilter.op ?? '', ...(compositeFilter.filters ?? []).flatMap(operatorsOf)]
    : [fieldFilter?.op ?? unaryFilter?.op ?? ''];

const matchesNothing = (value: Value): boolean => isNull(value) || isNaNValue(value);

export function holds({ path, op, value }: Condition, document: StoredDocument): boolean {
  const actual = documentValue(document, path);
  if (actual === undefined) return false;
  switch (op) {
    case 'EQUAL':
      return equalValues(actual, value);
    case 'IN_ONE':
      return !matchesNothing(value) && equalValues(actual, value);
    case 'ARRAY_CONTAINS':
      return (
        !matchesNothing(value) && elementsOf(actual).some((element) => equalValues(element, value))
      );
    case 'NOT_EQUAL':
      return !isNull(actual) && !equalValues(actual, value);
    case 'NOT_IN':
      return (
        !isNull(actual) &&
        !elementsOf(value).some((other) => isNull(other) || equalValues(actual, other))
      );
    case 'LESS_THAN':
    case 'LESS_THAN_OR_EQUAL':
    case 'GREATER_THAN':
    case 'GREATER_THAN_OR_EQUAL':
      return (
        typeRank(actual) === typeRank(value) &&
        isNaNValue(actual) === isNaNValue(value) &&
        RANGES[op](compareValues(actual, value))
      );
  }
}

/**
 * Where a value lies against the range a condition describes: negative below, positive above, zero
 * within or undecided. It never decreases along the value order, so indexes can be cut by it.
 */
export function sideOfRange({ op, value }: Condition, actual: Value): number {
  if (!isRange(op)) return 0;
  const ranks = typeRank(actual) - typeRank(value);
  if (ranks !== 0) return ranks;
  if (RANGES[op](compareValues(actual, value))) return 0;
  return op.startsWith('LESS') ? 1 : -1;
}

const isRange = (op: Operator): op is RangeOperator => op in RANGES;
