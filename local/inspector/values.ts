import type { Value } from '../firestore/values.ts';
import { isSecretName, maskSecret, maskText } from './masking.ts';

/** A stored value as the page shows it: its Firestore type beside it, secrets hidden. */
export type ShownValue =
  | { readonly type: string; readonly value?: string }
  | { readonly type: 'array'; readonly values: readonly ShownValue[] }
  | { readonly type: 'map'; readonly fields: Readonly<Record<string, ShownValue>> };

export function showFields(
  fields: Readonly<Record<string, Value>>,
  isSecret = false,
): Record<string, ShownValue> {
  const shown = Object.keys(fields)
    .toSorted()
    .flatMap((name): [string, ShownValue][] => {
      const value = fields[name];
      if (value === undefined) return [];
      return [[maskText(name), showValue(value, isSecret || isSecretName(name))]];
    });
  return Object.fromEntries(shown);
}

/** @param isSecret the value is in a field whose name says that it holds a secret */
function showValue(value: Value, isSecret = false): ShownValue {
  switch (value.valueType) {
    case 'nullValue':
      return { type: 'null' };
    case 'booleanValue':
      return { type: 'boolean', value: String(value.booleanValue) };
    case 'integerValue':
      return { type: 'integer', value: value.integerValue };
    case 'doubleValue':
      return { type: 'double', value: String(value.doubleValue) };
    case 'timestampValue':
      return { type: 'timestamp', value: isoTime(value.timestampValue) };
    case 'stringValue': {
      const text = value.stringValue;
      return { type: 'string', value: isSecret ? maskSecret(text) : maskText(text) };
    }
    case 'bytesValue':
      // Bytes are ciphertexts and hashes, and nothing one could read.
      return { type: 'bytes', value: `${value.bytesValue.length} bytes` };
    case 'referenceValue':
      return { type: 'reference', value: maskText(value.referenceValue) };
    case 'geoPointValue': {
      const { latitude, longitude } = value.geoPointValue;
      return { type: 'geopoint', value: `${latitude}, ${longitude}` };
    }
    case 'arrayValue':
      return {
        type: 'array',
        values: value.arrayValue.values.map((item) => showValue(item, isSecret)),
      };
    case 'mapValue':
      return { type: 'map', fields: showFields(value.mapValue.fields, isSecret) };
  }
}

/** With microseconds, when there are any: more than a Date holds. */
function isoTime({ seconds, nanos }: { readonly seconds: string; readonly nanos: number }): string {
  const text = new Date(Number(seconds) * 1_000).toISOString();
  const fraction = String(nanos).padStart(9, '0').slice(0, 6);
  return text.replace('.000Z', `.${fraction.endsWith('000') ? fraction.slice(0, 3) : fraction}Z`);
}
