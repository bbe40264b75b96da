import { compareNames } from './resource-names.ts';
import { compareUtf8 } from './strings.ts';
import type { WireTimestamp } from './timestamps.ts';
import {
  type Fields,
  type GeoPoint,
  type IntegerValue,
  isNumber,
  NULL,
  type NumberValue,
  toNumber,
  type Value,
  vectorOf,
} from './values.ts';

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
  mapValue: 10,
};
/** Vectors sort between arrays and other maps. */
const VECTOR_RANK = 9;

/** Values of different ranks never match a range filter; they sort by rank. */
export const typeRank = (value: Value): number =>
  vectorOf(value) ? VECTOR_RANK : TYPE_RANKS[value.valueType];

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
      if (b.valueType !== a.valueType) break;
      return compareVectors(a, b) ?? compareMaps(a.mapValue.fields, b.mapValue.fields);
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

/** Shorter vectors come first. Undefined unless both are vectors or the ranks decide. */
function compareVectors(a: Value, b: Value): number | undefined {
  const left = vectorOf(a);
  const right = vectorOf(b);
  if (!left && !right) return undefined;
  if (!left || !right) return typeRank(a) - typeRank(b);
  return left.length - right.length || compareArrays(left, right);
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
