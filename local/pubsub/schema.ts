import { RpcError } from '../kernel/grpc.ts';
import { fromMs } from '../kernel/proto-time.ts';
import type { WireSchema } from './wire.ts';

export interface Schema {
  readonly name: string;
  readonly definition: string;
  readonly revisionId: string;
  readonly createMs: number;
}

const PRIMITIVES = ['null', 'boolean', 'int', 'long', 'float', 'double', 'bytes', 'string'];
const DEFINITION_BYTES_MAX = 300_000;

const invalid = (why: string) =>
  new RpcError('INVALID_ARGUMENT', `Invalid schema definition: ${why}.`);

const isObject = (value: unknown): value is Record<string, unknown> =>
  typeof value === 'object' && value !== null && !Array.isArray(value);

/** Checks an Avro type, with the names that are known where it stands. */
function checkType(type: unknown, names: Set<string>): void {
  if (Array.isArray(type)) for (const branch of type) checkType(branch, names);
  else if (typeof type === 'string') {
    if (!PRIMITIVES.includes(type) && !names.has(type)) throw invalid(`unknown type "${type}"`);
  } else if (isObject(type)) checkComplex(type, names);
  else throw invalid('a type is a name, an object or a union');
}

function checkComplex(type: Record<string, unknown>, names: Set<string>): void {
  const { type: kind, name, fields, symbols, items, values, size } = type;
  if (kind === 'record' || kind === 'enum' || kind === 'fixed') {
    if (typeof name !== 'string' || name === '') throw invalid(`a ${kind} needs a name`);
    names.add(name);
  }
  if (kind === 'record') {
    if (!Array.isArray(fields)) throw invalid('a record needs fields');
    for (const field of fields) {
      if (!isObject(field) || typeof field['name'] !== 'string')
        throw invalid('a field needs a name');
      checkType(field['type'], names);
    }
  } else if (kind === 'enum') {
    if (!Array.isArray(symbols)) throw invalid('an enum needs symbols');
  } else if (kind === 'array') checkType(items, names);
  else if (kind === 'map') checkType(values, names);
  else if (kind === 'fixed') {
    if (typeof size !== 'number') throw invalid('a fixed needs a size');
  } else checkType(kind, names);
}

/** Avro only; returns the definition. */
export function checkDefinition(wire: WireSchema | null | undefined): string {
  if (wire?.type !== 'AVRO') throw new RpcError('UNIMPLEMENTED', 'Only Avro schemas are imitated.');
  const definition = wire.definition ?? '';
  if (Buffer.byteLength(definition) > DEFINITION_BYTES_MAX) throw invalid('larger than 300 KB');
  let parsed: unknown;
  try {
    parsed = JSON.parse(definition);
  } catch {
    throw invalid('it is not JSON');
  }
  if (!isObject(parsed) || parsed['type'] !== 'record')
    throw invalid('the top level of an Avro schema is a record');
  checkType(parsed, new Set());
  return definition;
}

/** The default view of lists, BASIC, leaves the definition out. */
export const schemaToWire = (schema: Schema, isFull: boolean): WireSchema => ({
  name: schema.name,
  type: 'AVRO',
  ...(isFull && { definition: schema.definition }),
  revisionId: schema.revisionId,
  revisionCreateTime: fromMs(schema.createMs),
});
