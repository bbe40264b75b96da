import { RpcError } from '../kernel/grpc.ts';
import { type FieldPath, parseFieldPath } from './field-path.ts';
import type { Micros } from './timestamps.ts';
import { compareNumbers, equalValues } from './value-order.ts';
import {
  elementsOf,
  fromWire,
  isNaNValue,
  isNumber,
  NULL,
  type NumberValue,
  ofArray,
  ofDouble,
  ofInteger,
  ofMicros,
  toNumber,
  type Value,
} from './values.ts';
import type { WireArray, WireTransform, WireValue } from './wire.ts';

/** A change computed by the server from what the field holds. */
export interface Transform {
  readonly path: FieldPath;
  readonly apply: (current: Value | undefined, commitTime: Micros) => Transformed;
}

interface Transformed {
  readonly value: Value;
  /** What the answer reports: the new value, or null for array changes. */
  readonly result: Value;
}

export function parseTransform(wire: WireTransform): Transform {
  return { path: parseFieldPath(wire.fieldPath), apply: applierOf(wire) };
}

function applierOf(wire: WireTransform): Transform['apply'] {
  switch (wire.transformType ?? '') {
    case 'setToServerValue':
      return (_current, commitTime) => plain(ofMicros(Math.floor(commitTime / 1000) * 1000));
    case 'increment':
      return onNumber(wire.increment, add);
    case 'maximum':
      return onNumber(wire.maximum, (current, operand) => extreme(current, operand, 1));
    case 'minimum':
      return onNumber(wire.minimum, (current, operand) => extreme(current, operand, -1));
    case 'appendMissingElements':
      return onArray(wire.appendMissingElements, append);
    case 'removeAllFromArray':
      return onArray(wire.removeAllFromArray, (current, removed) =>
        current.filter((element) => !includes(removed, element)),
      );
    default:
      throw new RpcError('INVALID_ARGUMENT', 'A field transform must have a type.');
  }
}

const plain = (value: Value): Transformed => ({ value, result: value });

function onNumber(
  wire: WireValue = {},
  combine: (current: NumberValue, operand: NumberValue) => NumberValue,
): Transform['apply'] {
  const operand = fromWire(wire);
  if (!isNumber(operand)) {
    throw new RpcError('INVALID_ARGUMENT', 'A numeric transform needs a number.');
  }
  return (current) => plain(current && isNumber(current) ? combine(current, operand) : operand);
}

function onArray(
  wire: WireArray = {},
  combine: (current: readonly Value[], operand: readonly Value[]) => readonly Value[],
): Transform['apply'] {
  const operand = (wire.values ?? []).map(fromWire);
  return (current) => ({ value: ofArray(combine(elementsOf(current), operand)), result: NULL });
}

const INTEGER_MAX = 2n ** 63n - 1n;
const INTEGER_MIN = -(2n ** 63n);

function add(a: NumberValue, b: NumberValue): NumberValue {
  if (a.valueType === 'doubleValue' || b.valueType === 'doubleValue') {
    return ofDouble(toNumber(a) + toNumber(b));
  }
  const sum = BigInt(a.integerValue) + BigInt(b.integerValue);
  return ofInteger(sum > INTEGER_MAX ? INTEGER_MAX : sum < INTEGER_MIN ? INTEGER_MIN : sum);
}

/** NaN wins over every number; of two equal numbers the current one stays, with its type. */
function extreme(current: NumberValue, operand: NumberValue, sign: 1 | -1): NumberValue {
  if (isNaNValue(current)) return current;
  if (isNaNValue(operand)) return operand;
  return compareNumbers(operand, current) * sign > 0 ? operand : current;
}

const includes = (values: readonly Value[], value: Value): boolean =>
  values.some((other) => equalValues(other, value));

function append(current: readonly Value[], added: readonly Value[]): readonly Value[] {
  const result = [...current];
  for (const element of added) if (!includes(result, element)) result.push(element);
  return result;
}
