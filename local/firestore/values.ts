import { compareNames } from './resource-names.ts';
import { compareUtf8 } from './strings.ts';
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

interface IntegerValue {
  readonly valueType: 'integerValue';
  readonly integerValue: string;
}
interface DoubleValue {
  readonly valueType: 'doubleValue';
  readonly doubleValue: number;
}
interface GeoPoint {
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

const TYPE_RANKS: Record<Value['valueType'], number> = {
  nullValue: 0,
  booleanValue: 1,
  integerValue: 2,
  doubleValue: 2,
  timestampValue: 3,
  stringValue: 4,
  bytesValue: 5,
  referenceValue: 6,
  geoPointValue: 7,
  arrayValue: 8,
  mapValue: 9,
};

/** Values of different ranks never match a range filter; they sort by rank. */
export const typeRank = (value: Value): number => TYPE_RANKS[value.valueType];

/** Firestore's total order over all values: negative, zero (equal) or positive. */
export function compareValues(a: Value, b: Value): number {
  switch (a.valueType) {
    case 'booleanValue':
      if (b.valueType === a.valueType) return Number(a.booleanValue) - Number(b.booleanValue);
      break;
    case 'integerValue':
    case 'doubleValue':
      if (isNumber(b)) return compareNumbers(a, b);
      break;
    case 'timestampValue':
      if (b.valueType === a.valueType) return compareTimestamps(a.timestampValue, b.timestampValue);
      break;
    case 'stringValue':
      if (b.valueType === a.valueType) return compareUtf8(a.stringValue, b.stringValue);
      break;
    case 'bytesValue':
      if (b.valueType === a.valueType) return Buffer.compare(a.bytesValue, b.bytesValue);
      break;
    case 'referenceValue':
      if (b.valueType === a.valueType) return compareNames(a.referenceValue, b.referenceValue);
      break;
    case 'geoPointValue':
      if (b.valueType === a.valueType) return compareGeoPoints(a.geoPointValue, b.geoPointValue);
      break;
    case 'arrayValue':
      if (b.valueType === a.valueType)
        return compareArrays(a.arrayValue.values, b.arrayValue.values);
      break;
    case 'mapValue':
      if (b.valueType === a.valueType) return compareMaps(a.mapValue.fields, b.mapValue.fields);
      break;
    case 'nullValue':
      break;
  }
  return typeRank(a) - typeRank(b);
}

export const equalValues = (a: Value, b: Value): boolean => compareValues(a, b) === 0;

/** Integers shorter than this are exact as doubles. */
const SAFE_DIGITS = 16;

/** By numeric value whatever the type, exactly even beyond 2^53; NaN is below every number. */
export function compareNumbers(a: NumberValue, b: NumberValue): number {
  if (a.valueType === 'integerValue' && b.valueType === 'integerValue') {
    if (a.integerValue.length < SAFE_DIGITS && b.integerValue.length < SAFE_DIGITS) {
      return Number(a.integerValue) - Number(b.integerValue);
    }
    return compareBigInts(BigInt(a.integerValue), BigInt(b.integerValue));
  }
  if (a.valueType === 'doubleValue' && b.valueType === 'doubleValue') {
    return compareDoubles(a.doubleValue, b.doubleValue);
  }
  return a.valueType === 'integerValue'
    ? compareIntegerToDouble(a.integerValue, toNumber(b))
    : -compareIntegerToDouble((b as IntegerValue).integerValue, a.doubleValue);
}

const compareBigInts = (a: bigint, b: bigint): number => (a < b ? -1 : a > b ? 1 : 0);

function compareDoubles(a: number, b: number): number {
  if (a < b) return -1;
  if (a > b) return 1;
  return Number(Number.isNaN(b)) - Number(Number.isNaN(a));
}

function compareIntegerToDouble(integer: string, double: number): number {
  if (!Number.isFinite(double)) return double === Number.POSITIVE_INFINITY ? -1 : 1;
  const whole = Math.trunc(double);
  return compareBigInts(BigInt(integer), BigInt(whole)) || compareDoubles(whole, double);
}

const compareTimestamps = (a: WireTimestamp, b: WireTimestamp): number =>
  Number(a.seconds) - Number(b.seconds) || a.nanos - b.nanos;

const compareGeoPoints = (a: GeoPoint, b: GeoPoint): number =>
  a.latitude - b.latitude || a.longitude - b.longitude;

function compareArrays(a: readonly Value[], b: readonly Value[]): number {
  for (const [i, element] of a.entries()) {
    const other = b[i];
    if (other === undefined) return 1;
    const order = compareValues(element, other);
    if (order !== 0) return order;
  }
  return a.length - b.length;
}

function compareMaps(a: Fields, b: Fields): number {
  const keysOfB = Object.keys(b).sort(compareUtf8);
  const keysOfA = Object.keys(a).sort(compareUtf8);
  for (const [i, key] of keysOfA.entries()) {
    const otherKey = keysOfB[i];
    if (otherKey === undefined) return 1;
    const order = compareUtf8(key, otherKey) || compareValues(a[key] ?? NULL, b[otherKey] ?? NULL);
    if (order !== 0) return order;
  }
  return keysOfA.length - keysOfB.length;
}

/** A string that two values share exactly when Firestore calls them equal: the key of hashed indexes. */
export function equalityKey(value: Value): string {
  switch (value.valueType) {
    case 'nullValue':
      return 'z';
    case 'booleanValue':
      return value.booleanValue ? 'b1' : 'b0';
    case 'integerValue':
      return `n${value.integerValue}`;
    case 'doubleValue':
      return Number.isInteger(value.doubleValue)
        ? `n${BigInt(value.doubleValue)}`
        : `n${value.doubleValue}`;
    case 'timestampValue':
      return `t${value.timestampValue.seconds}.${value.timestampValue.nanos}`;
    case 'stringValue':
      return `s${value.stringValue}`;
    case 'bytesValue':
      return `x${Buffer.from(value.bytesValue).toString('base64')}`;
    case 'referenceValue':
      return `r${value.referenceValue}`;
    case 'geoPointValue':
      return `g${value.geoPointValue.latitude + 0},${value.geoPointValue.longitude + 0}`;
    case 'arrayValue':
      return `a${joinKeys(value.arrayValue.values.map(equalityKey))}`;
    case 'mapValue': {
      const { fields } = value.mapValue;
      const parts = Object.keys(fields)
        .sort()
        .flatMap((key) => [key, equalityKey(fields[key] ?? NULL)]);
      return `m${joinKeys(parts)}`;
    }
  }
}

/** Joins keys so that no two different lists give the same string. */
export const joinKeys = (keys: readonly string[]): string =>
  keys.map((key) => `${key.length}:${key}`).join('');
