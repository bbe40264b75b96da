import type { z } from 'zod';

/**
 * One typed Firestore collection. `path` may hold `*` for the ids of parent documents:
 * "rfqs, any, pages" is the pages of one RFQ.
 */
export interface Collection<Doc> {
  readonly path: string;
  readonly schema: z.ZodType<Doc>;
}

/** One document's place: what a rule names to read or write it. */
export interface Ref<Doc> {
  readonly collection: Collection<Doc>;
  readonly path: string;
}

export const collection = <Doc>(path: string, schema: z.ZodType<Doc>): Collection<Doc> => ({
  path,
  schema,
});

/**
 * The reference of one document; takes one id for each `*` in the collection's path, then its own.
 *
 * @throws {RangeError} when the number of ids does not fit, or an id is empty or holds a `/`.
 */
export function ref<Doc>(of: Collection<Doc>, ...ids: string[]): Ref<Doc> {
  return { collection: of, path: `${pathIn(of, ids.slice(0, -1))}/${checked(ids.at(-1))}` };
}

/** The path of a collection under the given parents. */
export function pathIn(of: Collection<unknown>, parentIds: readonly string[]): string {
  const rest = [...parentIds];
  const path = of.path
    .split('/')
    .map((segment) => (segment === '*' ? checked(rest.shift()) : segment))
    .join('/');
  if (rest.length > 0) throw new RangeError(`${of.path} takes fewer ids than were given`);
  return path;
}

export const idOf = (of: Ref<unknown>): string => of.path.slice(of.path.lastIndexOf('/') + 1);

function checked(id: string | undefined): string {
  if (!id || id.includes('/')) throw new RangeError(`not a document id: ${JSON.stringify(id)}`);
  return id;
}
