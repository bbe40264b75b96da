import { RpcError } from '../kernel/grpc.ts';
import type { CompositeIndex, IndexDefinitions, IndexedField } from './index-definitions.ts';
import { isNamePath, parseFieldPath } from './field-path.ts';
import { type Conjunction, isEquality } from './filters.ts';
import type { Query } from './query.ts';
import { checkVectorIndex } from './vector-indexes.ts';
import { compareUtf8 } from './strings.ts';

/** Refuses the queries that production refuses for want of an index. */
export interface IndexCheck {
  /** @param aggregated fields that are summed or averaged */
  check(query: Query, aggregated?: readonly string[]): void;
}

interface SortField {
  readonly path: string;
  /** Undefined where either direction will do. */
  readonly descending: boolean | undefined;
}

/** The indexes one conjunction of a query can be answered with. */
interface Need {
  readonly collectionGroup: string;
  readonly queryScope: string;
  /** Fields compared for equality, and the searched array marked with `[]`. */
  readonly prefix: readonly string[];
  readonly sort: readonly SortField[];
  readonly nameDescending: boolean;
  /** Whether names run the way the last sorted field runs, so that any index has them right. */
  readonly nameImplied: boolean;
}

const arrayToken = (path: string): string => `${path}[]`;

/** @param definitions `any`: every query has its index */
export function createIndexCheck(definitions: IndexDefinitions | 'any'): IndexCheck {
  if (definitions === 'any') return { check: () => {} };
  const defined = definitions.indexes.map((index) => ({
    ...index,
    queryScope: index.queryScope ?? 'COLLECTION',
    fields: index.fields.map((field) => ({ ...field, fieldPath: spelled(field.fieldPath) })),
  }));
  const isVectorIndex = ({ fields }: CompositeIndex) => fields.at(-1)?.vectorConfig !== undefined;
  const composites = defined.filter((index) => !isVectorIndex(index));
  const vectorIndexes = defined.filter(isVectorIndex);
  const overrides = (definitions.fieldOverrides ?? []).map((override) => ({
    ...override,
    fieldPath: override.fieldPath === '*' ? '*' : spelled(override.fieldPath),
  }));

  function isServed(need: Need): boolean {
    const { prefix, sort } = need;
    const covered = new Set<string>();
    for (const index of composites) {
      if (index.collectionGroup !== need.collectionGroup) continue;
      if (index.queryScope !== need.queryScope) continue;
      const served = servedPrefix(index.fields, need);
      if (served && (served.length > 0 || prefix.length === 0)) {
        if (prefix.length === 0) return true;
        for (const token of served) covered.add(token);
      }
    }
    if (sort.length === 0 && need.nameImplied) {
      for (const token of prefix) {
        if (hasSingleField(need, token, undefined)) covered.add(token);
      }
      return prefix.every((token) => covered.has(token));
    }
    const [only] = sort;
    if (prefix.length === 0) {
      if (!only || sort.length > 1 || !need.nameImplied) return false;
      return hasSingleField(need, only.path, only.descending);
    }
    return prefix.every((token) => covered.has(token));
  }

  /** @param token a field, or an array marked with `[]` */
  function hasSingleField(need: Need, token: string, descending: boolean | undefined): boolean {
    const isArray = token.endsWith('[]');
    const path = isArray ? token.slice(0, -2) : token;
    const override = overrideFor(need.collectionGroup, path);
    if (!override) return need.queryScope === 'COLLECTION';
    return override.some(
      (index) =>
        (index.queryScope ?? 'COLLECTION') === need.queryScope &&
        (isArray ? index.arrayConfig !== undefined : isOrder(index.order, descending)),
    );
  }

  /** The override of the field, of the nearest map around it, or of the whole collection group. */
  function overrideFor(collectionGroup: string, path: string) {
    const own = overrides
      .filter((one) => one.collectionGroup === collectionGroup && one.indexes !== undefined)
      .sort((a, b) => b.fieldPath.length - a.fieldPath.length);
    const nearest = own.find(
      ({ fieldPath }) => fieldPath === path || path.startsWith(`${fieldPath}.`),
    );
    return (nearest ?? own.find(({ fieldPath }) => fieldPath === '*'))?.indexes;
  }

  return {
    check(query, aggregated = []) {
      if (query.collectionId === '') return;
      if (query.nearest) return checkVectorIndex(vectorIndexes, query, query.nearest);
      const checked = new Set<string>();
      for (const conditions of query.disjuncts) {
        const need = needOf(query, conditions, aggregated);
        const key = JSON.stringify(need);
        if (checked.has(key)) continue;
        checked.add(key);
        if (!isServed(need)) throw refusal(need);
      }
    },
  };
}

const spelled = (path: string): string => parseFieldPath(path).text;

const isOrder = (order: string | undefined, descending: boolean | undefined): boolean =>
  order !== undefined && (descending === undefined || descending === (order === 'DESCENDING'));

function needOf(query: Query, conditions: Conjunction, aggregated: readonly string[]): Need {
  const prefix = new Set<string>();
  for (const condition of conditions) {
    if (isNamePath(condition.path)) continue;
    if (isEquality(condition)) prefix.add(condition.path.text);
    if (condition.op === 'ARRAY_CONTAINS') prefix.add(arrayToken(condition.path.text));
  }
  const { orders } = query;
  const sort: SortField[] = orders
    .filter(({ path }) => !isNamePath(path) && !prefix.has(path.text))
    .map(({ path, descending }) => ({ path: path.text, descending }));
  for (const path of aggregated) {
    if (prefix.has(path) || sort.some((one) => one.path === path)) continue;
    sort.push({ path, descending: undefined });
  }
  const name = orders.at(-1);
  return {
    collectionGroup: query.collectionId,
    queryScope: query.scope.kind === 'group' ? 'COLLECTION_GROUP' : 'COLLECTION',
    prefix: [...prefix].sort(compareUtf8),
    sort,
    nameDescending: name?.descending ?? false,
    nameImplied:
      name !== undefined &&
      isNamePath(name.path) &&
      name.descending === (orders.at(-2)?.descending ?? false),
  };
}

/** The part of the need's prefix that an index answers in the order needed; undefined if it cannot. */
function servedPrefix(
  fields: readonly IndexedField[],
  { prefix, sort, nameDescending, nameImplied }: Need,
): string[] | undefined {
  const last = fields.at(-1);
  const explicitName = last?.fieldPath === '__name__';
  const named = explicitName ? fields.slice(0, -1) : fields;
  const suffix = sort.length > 0 ? named.slice(-sort.length) : [];
  if (suffix.length < sort.length) return undefined;
  const ordered = suffix.every(({ fieldPath, order }, i) => {
    const wanted = sort[i];
    return fieldPath === wanted?.path && isOrder(order, wanted.descending);
  });
  if (!ordered) return undefined;
  const nameMatters = !nameImplied || (explicitName && sort.length > 0);
  const directionMatters = sort.at(-1)?.descending !== undefined || sort.length === 0;
  if (nameMatters && directionMatters) {
    if ((last?.order === 'DESCENDING') !== nameDescending) return undefined;
  }
  const tokens = named
    .slice(0, named.length - sort.length)
    .map(({ fieldPath, arrayConfig }) => (arrayConfig ? arrayToken(fieldPath) : fieldPath));
  return tokens.every((token) => prefix.includes(token)) ? tokens : undefined;
}

/** Names the index that would answer the query, as it would stand in `firestore.indexes.json`. */
function refusal({
  collectionGroup,
  queryScope,
  prefix,
  sort,
  nameDescending,
  nameImplied,
}: Need): RpcError {
  const direction = (descending = false) => (descending ? 'DESCENDING' : 'ASCENDING');
  const arrays = prefix.filter((token) => token.endsWith('[]'));
  const fields: IndexedField[] = [
    ...arrays.map((token) => ({ fieldPath: token.slice(0, -2), arrayConfig: 'CONTAINS' })),
    ...prefix
      .filter((token) => !arrays.includes(token))
      .map((fieldPath) => ({ fieldPath, order: 'ASCENDING' })),
    ...sort.map(({ path, descending }) => ({ fieldPath: path, order: direction(descending) })),
  ];
  if (!nameImplied) fields.push({ fieldPath: '__name__', order: direction(nameDescending) });
  const [first] = fields;
  const missing =
    fields.length === 1 && first && nameImplied
      ? {
          collectionGroup,
          fieldPath: first.fieldPath,
          indexes: [{ queryScope, ...withoutPath(first) }],
        }
      : { collectionGroup, queryScope, fields };
  return new RpcError(
    'FAILED_PRECONDITION',
    `The query requires an index. Add it to firestore.indexes.json: ${JSON.stringify(missing)}`,
  );
}

const withoutPath = ({ fieldPath: _fieldPath, ...rest }: IndexedField) => rest;
