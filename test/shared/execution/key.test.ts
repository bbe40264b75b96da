import fc from 'fast-check';
import { describe, expect, it } from 'vitest';

import { EVERY_TENANT, type ExecutionKey, keyId } from '../../../shared/execution/key.ts';
import { healthStates } from '../../../shared/execution/health.ts';
import { idSchema } from '../../../shared/ids.ts';
import { ref } from '../../../shared/store/collection.ts';

const key: ExecutionKey = {
  tenantId: 'acme',
  providerName: 'openai',
  capability: 'usage_extract',
};
const ofParts = ([tenantId = '', providerName = '', capability = '']: readonly string[]) =>
  keyId({ tenantId, providerName, capability });

/** Texts that are made of what somebody might join keys with, or escape it by. */
const parts = fc.string({
  unit: fc.constantFrom('a', 'b', '|', ':', '/', '\n', '"', ',', '\\', '[', ']', '*', '\0', 'é'),
  maxLength: 6,
});
const triples = fc.tuple(parts, parts, parts);

describe('the id of a key', () => {
  it('is the same for the same key, whatever object holds it', () => {
    const { capability, providerName, tenantId } = key;
    expect(keyId({ capability, providerName, tenantId })).toBe(keyId(key));
    expect(keyId({ ...key, more: 'than a key' } as ExecutionKey)).toBe(keyId(key));
  });

  it('names a document, whatever is in the key', () => {
    fc.assert(
      fc.property(triples, (triple) => {
        const id = ofParts(triple);
        expect(idSchema('exk').safeParse(id).success).toBe(true);
        expect(() => ref(healthStates, id)).not.toThrow();
      }),
    );
  });

  it('tells nothing of the tenant', () => {
    expect(keyId(key)).not.toContain('acme');
  });

  it('case 47: is another for every other key', () => {
    fc.assert(
      fc.property(triples, triples, (one, other) => {
        expect(ofParts(one) === ofParts(other)).toBe(
          one.every((part, index) => part === other[index]),
        );
      }),
      { numRuns: 500 },
    );
  });

  it.each([
    [
      ['a|b', 'c', 'd'],
      ['a', 'b|c', 'd'],
    ],
    [
      ['a\nb', 'c', 'd'],
      ['a', 'b\nc', 'd'],
    ],
    [
      ['a","b', 'c', 'd'],
      ['a', 'b","c', 'd'],
    ],
    [
      ['a\\', '"b', 'c'],
      ['a\\"', 'b', 'c'],
    ],
    [
      ['', 'ab', 'c'],
      ['a', 'b', 'c'],
    ],
    [
      ['a', 'b', ''],
      ['a', '', 'b'],
    ],
    [
      ['["*"', 'b', 'c'],
      [EVERY_TENANT, 'b', 'c'],
    ],
    [
      ['acme', 'openai', 'x'],
      ['Acme', 'openai', 'x'],
    ],
  ])('case 47: no tenant spells another’s key: %j and %j', (one, other) => {
    expect(ofParts(one)).not.toBe(ofParts(other));
  });
});
