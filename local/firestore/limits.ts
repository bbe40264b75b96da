import { RpcError } from '../kernel/grpc.ts';
import { isReservedName } from './resource-names.ts';
import { type Fields, isNumber, type Value, vectorOf } from './values.ts';

const DOCUMENT_BYTES_MAX = 1_048_576;
const REQUEST_BYTES_MAX = 10 * 1024 * 1024;
const FIELD_NAME_BYTES_MAX = 1500;
const DEPTH_MAX = 20;
const VECTOR_DIMENSIONS_MAX = 2048;
/** What Firestore adds to every name and to every document when it computes sizes. */
const NAME_OVERHEAD_BYTES = 16;
const DOCUMENT_OVERHEAD_BYTES = 32;

const stringBytes = (text: string): number => Buffer.byteLength(text) + 1;

function nameBytes(name: string): number {
  const path = name.split('/').slice(5);
  return path.reduce((sum, segment) => sum + stringBytes(segment), NAME_OVERHEAD_BYTES);
}

function valueBytes(value: Value): number {
  switch (value.valueType) {
    case 'nullValue':
    case 'booleanValue':
      return 1;
    case 'integerValue':
    case 'doubleValue':
    case 'timestampValue':
      return 8;
    case 'geoPointValue':
      return 16;
    case 'stringValue':
      return stringBytes(value.stringValue);
    case 'bytesValue':
      return value.bytesValue.byteLength;
    case 'referenceValue':
      return nameBytes(value.referenceValue);
    case 'arrayValue':
      return value.arrayValue.values.reduce((sum, element) => sum + valueBytes(element), 0);
    case 'mapValue':
      return fieldsBytes(value.mapValue.fields);
  }
}

function fieldsBytes(fields: Fields): number {
  let bytes = 0;
  for (const [key, value] of Object.entries(fields)) bytes += stringBytes(key) + valueBytes(value);
  return bytes;
}

/** A document's size by the formula Firestore publishes. */
export const documentBytes = (name: string, fields: Fields): number =>
  nameBytes(name) + fieldsBytes(fields) + DOCUMENT_OVERHEAD_BYTES;

/** Refuses a document that Firestore would not store. */
export function checkDocument(name: string, fields: Fields): void {
  checkMap(fields, 0);
  const bytes = documentBytes(name, fields);
  if (bytes > DOCUMENT_BYTES_MAX) {
    throw new RpcError(
      'INVALID_ARGUMENT',
      `Document '${name}' cannot be written because its size (${bytes.toLocaleString('en-US')} bytes) exceeds the maximum allowed size of ${DOCUMENT_BYTES_MAX.toLocaleString('en-US')} bytes.`,
    );
  }
}

/** Judged by the documents' sizes; the encoding on the wire differs by a few bytes a field. */
export function checkRequestBytes(bytes: number): void {
  if (bytes > REQUEST_BYTES_MAX) {
    throw new RpcError(
      'INVALID_ARGUMENT',
      `Request payload size exceeds the limit: ${REQUEST_BYTES_MAX} bytes.`,
    );
  }
}

function checkMap(fields: Fields, depth: number): void {
  for (const [key, value] of Object.entries(fields)) {
    checkFieldName(key, value);
    checkValue(key, value, depth);
  }
}

function checkFieldName(key: string, value: Value): void {
  if (key === '') throw new RpcError('INVALID_ARGUMENT', 'A field name must not be empty.');
  if (Buffer.byteLength(key) > FIELD_NAME_BYTES_MAX) {
    throw new RpcError(
      'INVALID_ARGUMENT',
      `Field name "${key.slice(0, 32)}…" is longer than ${FIELD_NAME_BYTES_MAX} bytes.`,
    );
  }
  const marksVector = value.valueType === 'stringValue' && value.stringValue === '__vector__';
  if (isReservedName(key) && !(key === '__type__' && marksVector)) {
    throw new RpcError('INVALID_ARGUMENT', `Field name "${key}" is reserved.`);
  }
}

function checkValue(key: string, value: Value, depth: number): void {
  if (value.valueType !== 'mapValue' && value.valueType !== 'arrayValue') return;
  if (depth === DEPTH_MAX) {
    throw new RpcError(
      'INVALID_ARGUMENT',
      `Property ${key} is nested deeper than ${DEPTH_MAX} levels.`,
    );
  }
  const vector = vectorOf(value);
  if (vector) return checkVector(key, value, vector);
  if (value.valueType === 'mapValue') return checkMap(value.mapValue.fields, depth + 1);
  for (const element of value.arrayValue.values) {
    if (element.valueType === 'arrayValue') {
      throw new RpcError('INVALID_ARGUMENT', 'Cannot convert an array value in an array value.');
    }
    checkValue(key, element, depth + 1);
  }
}

function checkVector(key: string, value: Value, components: readonly Value[]): void {
  const parts = value.valueType === 'mapValue' ? Object.keys(value.mapValue.fields) : [];
  if (parts.length !== 2 || !components.every(isNumber)) {
    throw new RpcError('INVALID_ARGUMENT', `Property ${key} is not a vector of numbers.`);
  }
  if (components.length === 0 || components.length > VECTOR_DIMENSIONS_MAX) {
    throw new RpcError(
      'INVALID_ARGUMENT',
      `Property ${key} must be a vector of 1 to ${VECTOR_DIMENSIONS_MAX} dimensions.`,
    );
  }
}
