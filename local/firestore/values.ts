import {
  fromWireTimestamp,
  type Micros,
  toWireTimestamp,
  type WireTimestamp,
} from './timestamps.ts';
import type { WireValue } from './wire.ts';

/** A field's value in the wire's own shape, with nothing left out, so that it can be sent as it is. */
export type Value =
  | { readonly valueType: 'nullValue'; readonly nullValue: 'NULL_VALUE' }
  | { readonly valueType: 'booleanValue'; readonly booleanValue: boolean }
  | IntegerValue
  | DoubleValue
  | { readonly valueType: 'timestampValue'; readonly timestampValue: WireTimestamp }
  | { readonly valueType: 'stringValue'; readonly stringValue: string }
  | { readonly valueType: 'bytesValue'; readonly bytesValue: Uint8Array }
  | { readonly valueType: 'referenceValue'; readonly referenceValue: string }
  | { readonly valueType: 'geoPointValue'; readonly geoPointValue: GeoPoint }
  | { readonly valueType: 'arrayValue'; readonly arrayValue: { readonly values: readonly Value[] } }
  | { readonly valueType: 'mapValue'; readonly mapValue: { readonly fields: Fields } };

export interface IntegerValue {
  readonly valueType: 'integerValue';
  readonly integerValue: string;
}
interface DoubleValue {
  readonly valueType: 'doubleValue';
  readonly doubleValue: number;
}
export interface GeoPoint {
  readonly latitude: number;
  readonly longitude: number;
}
export type NumberValue = IntegerValue | DoubleValue;
export type Fields = Readonly<Record<string, Value>>;

export const NULL: Value = { valueType: 'nullValue', nullValue: 'NULL_VALUE' };
export const NAN: Value = { valueType: 'doubleValue', doubleValue: Number.NaN };
export const ofInteger = (integer: bigint | number): NumberValue => ({
  valueType: 'integerValue',
  integerValue: String(integer),
});
export const ofDouble = (double: number): NumberValue => ({
  valueType: 'doubleValue',
  doubleValue: double,
});
export const ofArray = (values: readonly Value[]): Value => ({
  valueType: 'arrayValue',
  arrayValue: { values },
});
export const ofMap = (fields: Fields): Value => ({ valueType: 'mapValue', mapValue: { fields } });
export const ofMicros = (micros: Micros): Value => ({
  valueType: 'timestampValue',
  timestampValue: toWireTimestamp(micros),
});

export const isNull = (value: Value): boolean => value.valueType === 'nullValue';
export const isNaNValue = (value: Value): boolean =>
  value.valueType === 'doubleValue' && Number.isNaN(value.doubleValue);
export const isNumber = (value: Value): value is NumberValue =>
  value.valueType === 'integerValue' || value.valueType === 'doubleValue';
export const toNumber = (value: NumberValue): number =>
  value.valueType === 'integerValue' ? Number(value.integerValue) : value.doubleValue;
export const elementsOf = (value: Value | undefined): readonly Value[] =>
  value?.valueType === 'arrayValue' ? value.arrayValue.values : [];

/** The components of an embedding, which is stored as a map of a reserved shape. */
export function vectorOf(value: Value | undefined): readonly Value[] | undefined {
  if (value?.valueType !== 'mapValue') return undefined;
  const { __type__: type, value: components } = value.mapValue.fields;
  const isVector = type?.valueType === 'stringValue' && type.stringValue === '__vector__';
  return isVector ? elementsOf(components) : undefined;
}

/** Fills in what the wire leaves out and cuts timestamps to microseconds, as the server does. */
export function fromWire(wire: WireValue): Value {
  switch (wire.valueType ?? 'nullValue') {
    case 'booleanValue':
      return { valueType: 'booleanValue', booleanValue: wire.booleanValue ?? false };
    case 'integerValue':
      return { valueType: 'integerValue', integerValue: wire.integerValue ?? '0' };
    case 'doubleValue':
      return { valueType: 'doubleValue', doubleValue: wire.doubleValue ?? 0 };
    case 'timestampValue':
      return ofMicros(fromWireTimestamp(wire.timestampValue ?? {}));
    case 'stringValue':
      return { valueType: 'stringValue', stringValue: wire.stringValue ?? '' };
    case 'bytesValue':
      return { valueType: 'bytesValue', bytesValue: wire.bytesValue ?? Buffer.alloc(0) };
    case 'referenceValue':
      return { valueType: 'referenceValue', referenceValue: wire.referenceValue ?? '' };
    case 'geoPointValue': {
      const { latitude = 0, longitude = 0 } = wire.geoPointValue ?? {};
      return { valueType: 'geoPointValue', geoPointValue: { latitude, longitude } };
    }
    case 'arrayValue':
      return ofArray((wire.arrayValue?.values ?? []).map(fromWire));
    case 'mapValue':
      return ofMap(fieldsFromWire(wire.mapValue?.fields));
    default:
      return NULL;
  }
}

export function fieldsFromWire(wire: Readonly<Record<string, WireValue>> = {}): Fields {
  const fields: Record<string, Value> = {};
  for (const key of Object.keys(wire)) fields[key] = fromWire(wire[key] ?? {});
  return fields;
}
