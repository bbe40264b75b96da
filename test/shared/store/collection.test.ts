import { describe, expect, it } from 'vitest';
import { z } from 'zod';

import { collection, idOf, pathIn, ref } from '../../../shared/store/collection.ts';

const orgs = collection('orgs', z.object({}));
const pages = collection('rfqs/*/pages', z.object({}));
const deep = collection('a/*/b/*/c', z.object({}));

describe('a reference', () => {
  it('names a document of its collection', () => {
    expect(ref(orgs, 'acme')).toEqual({ collection: orgs, path: 'orgs/acme' });
    expect(idOf(ref(orgs, 'acme'))).toBe('acme');
  });

  it('takes one id for each parent, then its own', () => {
    expect(ref(pages, 'rfq_1', '0001').path).toBe('rfqs/rfq_1/pages/0001');
    expect(ref(deep, '1', '2', '3').path).toBe('a/1/b/2/c/3');
    expect(idOf(ref(deep, '1', '2', '3'))).toBe('3');
  });

  it.each([
    ['no id', () => ref(orgs)],
    ['an empty id', () => ref(orgs, '')],
    ['an id with a slash, which would be another collection', () => ref(orgs, 'acme/keys/k1')],
    ['too many ids', () => ref(orgs, 'acme', 'k1')],
    ['too few ids', () => ref(pages, 'rfq_1')],
    ['an empty parent id', () => ref(pages, '', '0001')],
    ['a parent id with a slash', () => ref(pages, 'rfq/1', '0001')],
  ])('throws for %s', (_what, make) => {
    expect(make).toThrow(RangeError);
  });
});

describe('the path of a collection', () => {
  it('is filled with the ids of its parents', () => {
    expect(pathIn(orgs, [])).toBe('orgs');
    expect(pathIn(pages, ['rfq_1'])).toBe('rfqs/rfq_1/pages');
  });

  it('throws when the number of parents does not fit', () => {
    expect(() => pathIn(pages, [])).toThrow(RangeError);
    expect(() => pathIn(orgs, ['acme'])).toThrow(RangeError);
  });
});
