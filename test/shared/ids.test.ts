import { describe, expect, it } from 'vitest';

import { derivedId, idSchema, keyHash, newId, newKey } from '../../shared/ids.ts';

const bytes = (length: number) => new Uint8Array(length).fill(0xab);

describe('ids', () => {
  it('carry their kind and 16 to 32 hex digits', () => {
    expect(newId('prov', bytes(8))).toBe('prov_abababababababab');
    expect(idSchema('rfq').safeParse(newId('rfq', bytes(16))).success).toBe(true);
    expect(idSchema('sub').safeParse('prov_abababababababab').success).toBe(false);
  });

  it('need enough randomness', () => {
    expect(() => newId('sub', bytes(7))).toThrow(RangeError);
    expect(() => newId('sub', bytes(17))).toThrow(RangeError);
  });

  it('follow from their parts when derived, and differ when a part moves', () => {
    expect(derivedId('quo', 'rfq_1', 'prov_2')).toBe(derivedId('quo', 'rfq_1', 'prov_2'));
    expect(derivedId('quo', 'a', 'bc')).not.toBe(derivedId('quo', 'ab', 'c'));
    expect(idSchema('quo').safeParse(derivedId('quo', 'x')).success).toBe(true);
  });
});

describe('keys', () => {
  it.each([
    ['provider_key', 'aex_pk_live_'],
    ['provider_secret', 'aex_sk_live_'],
    ['org_key', 'pv_org_'],
  ] as const)('%s begins with %s and carries 256 bits', (kind, prefix) => {
    expect(newKey(kind, bytes(32))).toBe(prefix + 'ab'.repeat(32));
    expect(() => newKey(kind, bytes(16))).toThrow(RangeError);
  });

  it('are found by a hash from which they cannot be read', () => {
    expect(keyHash(newKey('org_key', bytes(32)))).toMatch(/^[0-9a-f]{64}$/);
  });
});
