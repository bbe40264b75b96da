import { z } from 'zod';

import type { Firestore, StoredDocument } from '../firestore/server.ts';
import { RpcError } from '../kernel/grpc.ts';
import { HIDDEN, maskText } from './masking.ts';
import { showFields } from './values.ts';

const PAGE_SIZE = { default: 50, max: 200 };
const PREVIEW_FIELDS_MAX = 4;
const PREVIEW_CHARACTERS_MAX = 60;
/** What tells documents of most kinds apart comes first. */
const PREVIEW_FIRST = ['name', 'status', 'kind', 'category', 'description'];

export const ListDocuments = z.strictObject({
  /** A collection's path, in which `*` stands for any document: all of its kind. */
  collection: z.string().min(1),
  page_size: z.coerce.number().int().min(1).max(PAGE_SIZE.max).default(PAGE_SIZE.default),
  /** How many to pass over. What is written meanwhile shifts the pages, which does for looking. */
  offset: z.coerce.number().int().min(0).default(0),
});

export const GetDocument = z.strictObject({ path: z.string().min(1) });

/**
 * A path as it is shown and asked for. The id of a key's document is the hash of the key, and is masked
 * like any other.
 */
const shown = (path: string): string => path.split('/').map(maskText).join('/');

const byText = (a: string, b: string): number => (a < b ? -1 : a > b ? 1 : 0);

/** Reads what Firestore stores past its RPCs: nothing is counted, locked or read at a price. */
export function createDocumentViews(firestore: Firestore, project: string) {
  const prefix = `projects/${project}/databases/(default)/documents/`;
  const pathOf = ({ name }: StoredDocument) => name.slice(prefix.length);
  const stored = (): StoredDocument[] =>
    [...firestore.snapshot().values()].filter(({ name }) => name.startsWith(prefix));

  return {
    /** Every kind of collection with its size; an RFQ's quotes count as those of all RFQs. */
    collections() {
      const counts = new Map<string, number>();
      for (const document of stored()) {
        const pattern = patternOf(pathOf(document));
        counts.set(pattern, (counts.get(pattern) ?? 0) + 1);
      }
      return {
        collections: [...counts]
          .map(([pattern, documents]) => ({ pattern, documents }))
          .toSorted((a, b) => byText(a.pattern, b.pattern)),
      };
    },

    list({ collection, page_size: size, offset }: z.infer<typeof ListDocuments>) {
      const found = stored()
        .filter((document) => isIn(collection, pathOf(document)))
        .toSorted((a, b) => byText(a.name, b.name));
      return {
        collection,
        total: found.length,
        documents: found.slice(offset, offset + size).map((document) => ({
          path: shown(pathOf(document)),
          update_time: isoOf(document.updateTime),
          preview: previewOf(document),
        })),
        next_offset: found.length > offset + size ? offset + size : null,
      };
    },

    get({ path }: z.infer<typeof GetDocument>) {
      const documents = stored();
      const document = documents.find((each) => isShownAs(path, pathOf(each)));
      if (!document) throw new RpcError('NOT_FOUND', `There is no document ${path} (any more).`);
      const below = new Map<string, number>();
      for (const { name } of documents) {
        if (!name.startsWith(`${document.name}/`)) continue;
        const [id = ''] = name.slice(document.name.length + 1).split('/');
        below.set(id, (below.get(id) ?? 0) + 1);
      }
      return {
        path,
        create_time: isoOf(document.createTime),
        update_time: isoOf(document.updateTime),
        collections: [...below].map(([id, count]) => ({ path: `${path}/${id}`, documents: count })),
        fields: showFields(document.fields),
      };
    },
  };
}

const isoOf = (micros: number): string => new Date(micros / 1_000).toISOString();

const patternOf = (path: string): string =>
  path
    .split('/')
    .slice(0, -1)
    .map((segment, index) => (index % 2 === 0 ? segment : '*'))
    .join('/');

/** Masks only where the wanted path is masked: a collection may be large. */
const isShownAs = (wanted: string, path: string): boolean =>
  wanted === path || (wanted.includes(HIDDEN) && wanted === shown(path));

function isIn(collection: string, path: string): boolean {
  const wanted = collection.split('/');
  const segments = path.split('/');
  return (
    segments.length === wanted.length + 1 &&
    wanted.every((segment, index) => {
      const isAny = segment === '*' && index % 2 === 1;
      return isAny || isShownAs(segment, segments[index] ?? '');
    })
  );
}

/** A few short fields by which a reader knows the document. */
function previewOf({ fields }: StoredDocument): { name: string; value: string }[] {
  return Object.entries(showFields(fields))
    .flatMap(([name, field]) =>
      'value' in field && field.value && field.value.length <= PREVIEW_CHARACTERS_MAX
        ? [{ name, value: field.value }]
        : [],
    )
    .toSorted((a, b) => rank(a.name) - rank(b.name))
    .slice(0, PREVIEW_FIELDS_MAX);
}

function rank(name: string): number {
  const at = PREVIEW_FIRST.indexOf(name);
  return at < 0 ? PREVIEW_FIRST.length : at;
}
