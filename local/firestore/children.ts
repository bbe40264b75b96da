import type { Documents, Scope } from './documents.ts';
import { NAME_PATH } from './field-path.ts';
import { compareNames } from './resource-names.ts';

const BY_NAME = { equal: [], orders: [{ path: NAME_PATH, descending: false }] };

/**
 * The names one segment below `parent` that are documents or lead to some, in order: a document's
 * collections, or a collection's documents with those that exist only as parents. Skips from one to
 * the next without walking what is below.
 *
 * @param after start behind this name
 */
export function* childrenOf(
  documents: Documents,
  scope: Scope,
  parent: string,
  after = '',
): Generator<string> {
  const prefix = `${parent}/`;
  const group = documents.indexes(scope).index(BY_NAME).group('');
  let last = after;
  while (group) {
    const isBefore = (name: string) =>
      last === '' ? compareNames(name, parent) <= 0 : isThrough(name, last);
    const next = group.scan(({ name }) => isBefore(name)).next();
    if (next.done || !next.value.name.startsWith(prefix)) return;
    const { name } = next.value;
    const slash = name.indexOf('/', prefix.length);
    last = slash < 0 ? name : name.slice(0, slash);
    yield last;
  }
}

/** Whether `name` is `last`, below it or before it. */
const isThrough = (name: string, last: string): boolean =>
  name.startsWith(`${last}/`) || compareNames(name, last) <= 0;
