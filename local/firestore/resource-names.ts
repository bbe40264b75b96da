import { RpcError } from '../kernel/grpc.ts';
import { compareUtf8 } from './strings.ts';

/** `projects/P/databases/D/documents` */
const ROOT_SEGMENTS = 5;
const ID_BYTES_MAX = 1500;
const RESERVED = /^__.*__$/;
/** Numeric ids of Datastore's heritage; they alone may look reserved, and sort by number before all others. */
const NUMERIC_ID = /^__id(-?\d+)__$/;

export const isReservedName = (name: string): boolean => RESERVED.test(name);

export const parentOf = (name: string): string => name.slice(0, name.lastIndexOf('/'));
export const lastSegment = (name: string): string => name.slice(name.lastIndexOf('/') + 1);

const SLASH = 47;

/** Orders full names segment by segment; a document comes right before what is stored below it. */
export function compareNames(a: string, b: string): number {
  if (a === b) return 0;
  if (a.includes('/__id') || b.includes('/__id')) return compareBySegment(a, b);
  const length = Math.min(a.length, b.length);
  let i = 0;
  while (i < length && a.charCodeAt(i) === b.charCodeAt(i)) i++;
  if (i === length) return a.length - b.length;
  if (a.charCodeAt(i) === SLASH) return -1;
  if (b.charCodeAt(i) === SLASH) return 1;
  return compareUtf8(a.slice(i), b.slice(i));
}

function compareBySegment(a: string, b: string): number {
  const segmentsOfA = a.split('/');
  const segmentsOfB = b.split('/');
  for (const [i, segment] of segmentsOfA.entries()) {
    const other = segmentsOfB[i];
    if (other === undefined) return 1;
    const order = compareIds(segment, other);
    if (order !== 0) return order;
  }
  return segmentsOfA.length - segmentsOfB.length;
}

export function compareIds(a: string, b: string): number {
  const numberOfA = a.startsWith('__id') ? NUMERIC_ID.exec(a)?.[1] : undefined;
  const numberOfB = b.startsWith('__id') ? NUMERIC_ID.exec(b)?.[1] : undefined;
  if (numberOfA !== undefined && numberOfB !== undefined) {
    const difference = BigInt(numberOfA) - BigInt(numberOfB);
    return difference < 0n ? -1 : difference > 0n ? 1 : 0;
  }
  if (numberOfA !== undefined) return -1;
  if (numberOfB !== undefined) return 1;
  return compareUtf8(a, b);
}

function checkSegment(segment: string, name: string): void {
  if (segment === '') {
    throw new RpcError('INVALID_ARGUMENT', `Name "${name}" contains an empty segment.`);
  }
  if (segment === '.' || segment === '..') {
    throw new RpcError('INVALID_ARGUMENT', `Resource id "${segment}" is invalid.`);
  }
  if (Buffer.byteLength(segment) > ID_BYTES_MAX) {
    throw new RpcError(
      'INVALID_ARGUMENT',
      `Resource id "${segment.slice(0, 32)}…" is longer than ${ID_BYTES_MAX} bytes.`,
    );
  }
  if (isReservedName(segment) && !NUMERIC_ID.test(segment)) {
    throw new RpcError(
      'INVALID_ARGUMENT',
      `Resource id "${segment}" is invalid because it is reserved.`,
    );
  }
}

function pathSegments(name: string): readonly string[] {
  const segments = name.split('/');
  const [projects, , databases, , documents] = segments;
  if (projects !== 'projects' || databases !== 'databases' || documents !== 'documents') {
    throw new RpcError('INVALID_ARGUMENT', `Name "${name}" is not below a database's documents.`);
  }
  return segments.slice(ROOT_SEGMENTS);
}

/** Refuses what cannot be a document of `database` (of any database when that is undefined). */
export function checkDocumentName(name: string, database?: string): void {
  const segments = pathSegments(name);
  if (segments.length === 0 || segments.length % 2 !== 0) {
    throw new RpcError(
      'INVALID_ARGUMENT',
      `Document name "${name}" lacks "/" at a position: documents and collections must alternate.`,
    );
  }
  for (const segment of segments) checkSegment(segment, name);
  if (database !== undefined && !name.startsWith(`${database}/documents/`)) {
    throw new RpcError('INVALID_ARGUMENT', `Document "${name}" is not in database "${database}".`);
  }
}

/** Refuses a parent that is neither a database's root nor a document. */
export function checkParent(parent: string): void {
  const segments = pathSegments(parent);
  if (segments.length % 2 !== 0) {
    throw new RpcError('INVALID_ARGUMENT', `Parent "${parent}" is not a document.`);
  }
}
