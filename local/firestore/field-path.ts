import { RpcError } from '../kernel/grpc.ts';
import { type Fields, ofMap, type Value } from './values.ts';

/** A path into a document's nested maps. `text` is its one canonical spelling, fit to compare. */
export interface FieldPath {
  readonly text: string;
  readonly segments: readonly string[];
}

const SEGMENT = /([A-Za-z_]\w*)|`((?:[^`\\]|\\.)+)`/y;
const PLAIN = /^[A-Za-z_]\w*$/;

const spell = (segment: string): string =>
  PLAIN.test(segment) ? segment : `\`${segment.replaceAll(/[`\\]/g, String.raw`\$&`)}\``;

/** Parses `a.b`, with back-ticks around segments that are not plain identifiers. */
export function parseFieldPath(text = ''): FieldPath {
  const segments: string[] = [];
  let position = 0;
  while (true) {
    SEGMENT.lastIndex = position;
    const match = SEGMENT.exec(text);
    if (!match) throw invalid(text);
    segments.push(match[1] ?? (match[2] ?? '').replaceAll(/\\(.)/g, '$1'));
    position = SEGMENT.lastIndex;
    if (position === text.length) break;
    if (text[position] !== '.') throw invalid(text);
    position++;
  }
  return { text: segments.map(spell).join('.'), segments };
}

const invalid = (text: string): RpcError =>
  new RpcError(
    'INVALID_ARGUMENT',
    `Invalid property path "${text}". Unquoted property paths must match regex ([a-zA-Z_][a-zA-Z_0-9]*), and quoted property paths must match regex (\`(?:[^\`\\\\]|(?:\\\\.))+\`)`,
  );

/** The document's own name, addressed as if it were a field. */
export const NAME_PATH: FieldPath = parseFieldPath('__name__');
export const isNamePath = (path: FieldPath): boolean => path.text === NAME_PATH.text;

/** Undefined when the field, or a map on the way to it, is absent. */
export function valueAt(fields: Fields, path: FieldPath): Value | undefined {
  let map: Fields | undefined = fields;
  let value: Value | undefined;
  for (const segment of path.segments) {
    if (map === undefined || !Object.hasOwn(map, segment)) return undefined;
    value = map[segment];
    map = value?.valueType === 'mapValue' ? value.mapValue.fields : undefined;
  }
  return value;
}

/** A copy with the field set, maps on the way created; `undefined` removes the field. */
export const withValueAt = (fields: Fields, path: FieldPath, value: Value | undefined): Fields =>
  withValue(fields, path.segments, value);

function withValue(
  fields: Fields,
  [first = '', ...rest]: readonly string[],
  value: Value | undefined,
): Fields {
  const current = Object.hasOwn(fields, first) ? fields[first] : undefined;
  if (rest.length > 0) {
    if (current?.valueType !== 'mapValue' && value === undefined) return fields;
    const inner = current?.valueType === 'mapValue' ? current.mapValue.fields : {};
    return { ...fields, [first]: ofMap(withValue(inner, rest, value)) };
  }
  if (value !== undefined) return { ...fields, [first]: value };
  const { [first]: _removed, ...others } = fields;
  return others;
}

/** What a projection keeps. */
export function pick(fields: Fields, paths: readonly FieldPath[]): Fields {
  let picked: Fields = {};
  for (const path of paths) {
    const value = valueAt(fields, path);
    if (value !== undefined) picked = withValueAt(picked, path, value);
  }
  return picked;
}
