import { isDeepStrictEqual } from 'node:util';

import { RpcError } from '../kernel/grpc.ts';
import type { Meter } from '../kernel/meter.ts';
import { documentOf, type StoredDocument } from './document.ts';
import { type FieldPath, parseFieldPath, valueAt, withValueAt } from './field-path.ts';
import { checkDocument, checkRequestBytes, documentBytes } from './limits.ts';
import { checkDocumentName } from './resource-names.ts';
import {
  fromWireTimestamp,
  type Micros,
  toWireTimestamp,
  type WireTimestamp,
} from './timestamps.ts';
import { parseTransform, type Transform } from './transforms.ts';
import { type Fields, fieldsFromWire, type Value } from './values.ts';
import type { WirePrecondition, WireWrite } from './wire.ts';

/** One parsed change to one document. */
export interface Write {
  readonly name: string;
  readonly change: Change;
  readonly precondition: Precondition;
}

type Change =
  | { readonly kind: 'delete' }
  /** Nothing but the precondition. */
  | { readonly kind: 'verify' }
  | {
      readonly kind: 'update';
      readonly fields: Fields;
      /** Undefined: `fields` replace all there are. */
      readonly mask: readonly FieldPath[] | undefined;
      readonly transforms: readonly Transform[];
    };

interface Precondition {
  readonly exists: boolean | undefined;
  readonly updateTime: Micros | undefined;
}

export interface WriteResult {
  readonly updateTime?: WireTimestamp;
  readonly transformResults?: readonly Value[];
}

export function parseWrites(writes: readonly WireWrite[] = [], database?: string): Write[] {
  const parsed = writes.map((write) => parseWrite(write, database));
  const bytes = parsed.reduce(
    (sum, { name, change }) =>
      sum + documentBytes(name, change.kind === 'update' ? change.fields : {}),
    0,
  );
  checkRequestBytes(bytes);
  return parsed;
}

function parseWrite(wire: WireWrite, database: string | undefined): Write {
  const name = wire.update?.name ?? wire.delete ?? wire.verify ?? wire.transform?.document ?? '';
  checkDocumentName(name, database);
  return { name, change: parseChange(wire), precondition: parsePrecondition(wire.currentDocument) };
}

function parseChange(wire: WireWrite): Change {
  switch (wire.operation ?? '') {
    case 'delete':
      return { kind: 'delete' };
    case 'verify':
      return { kind: 'verify' };
    case 'update':
      return {
        kind: 'update',
        fields: fieldsFromWire(wire.update?.fields),
        mask: wire.updateMask && (wire.updateMask.fieldPaths ?? []).map(parseFieldPath),
        transforms: (wire.updateTransforms ?? []).map(parseTransform),
      };
    case 'transform':
      return {
        kind: 'update',
        fields: {},
        mask: [],
        transforms: (wire.transform?.fieldTransforms ?? []).map(parseTransform),
      };
    default:
      throw new RpcError('INVALID_ARGUMENT', 'A write must have an operation.');
  }
}

const parsePrecondition = (wire: WirePrecondition = {}): Precondition => ({
  exists: wire.exists,
  updateTime: wire.updateTime && fromWireTimestamp(wire.updateTime),
});

/** The documents one commit has changed so far, over those stored. */
export interface Staged {
  get(name: string): StoredDocument | undefined;
  set(name: string, document: StoredDocument | undefined): void;
}

export function applyWrite(write: Write, staged: Staged, commitTime: Micros): WriteResult {
  const { name, change } = write;
  const current = staged.get(name);
  checkPrecondition(write, current);
  if (change.kind === 'verify') {
    return current ? { updateTime: toWireTimestamp(current.updateTime) } : {};
  }
  if (change.kind === 'delete') {
    staged.set(name, undefined);
    return {};
  }
  let fields = merged(current?.fields ?? {}, change.fields, change.mask);
  const transformResults: Value[] = [];
  for (const { path, apply } of change.transforms) {
    const { value, result } = apply(valueAt(fields, path), commitTime);
    fields = withValueAt(fields, path, value);
    transformResults.push(result);
  }
  checkDocument(name, fields);
  const unchanged = current !== undefined && isDeepStrictEqual(current.fields, fields);
  const next = unchanged
    ? current
    : documentOf(name, {
        fields,
        createTime: current?.createTime ?? commitTime,
        updateTime: commitTime,
      });
  staged.set(name, next);
  return {
    updateTime: toWireTimestamp(next.updateTime),
    ...(transformResults.length > 0 && { transformResults }),
  };
}

/** A masked field that `given` lacks is removed. */
function merged(current: Fields, given: Fields, mask: readonly FieldPath[] | undefined): Fields {
  if (!mask) return given;
  return mask.reduce((fields, path) => withValueAt(fields, path, valueAt(given, path)), current);
}

function checkPrecondition(
  { name, precondition: { exists, updateTime } }: Write,
  current: StoredDocument | undefined,
): void {
  if (exists === true && !current) {
    throw new RpcError('NOT_FOUND', `No document to update: ${name}`);
  }
  if (exists === false && current) {
    throw new RpcError('ALREADY_EXISTS', `Document already exists: ${name}`);
  }
  if (updateTime !== undefined && updateTime !== current?.updateTime) {
    throw new RpcError(
      'FAILED_PRECONDITION',
      `the stored version (${current?.updateTime ?? 'none'}) does not match the required base version (${updateTime})`,
    );
  }
}

/** Billed once applied; a refused commit costs nothing. */
export function billWrites(meter: Meter, writes: readonly Write[]): void {
  for (const { change } of writes) {
    if (change.kind === 'update') meter.count('writes');
    if (change.kind === 'delete') meter.count('deletes');
  }
}
