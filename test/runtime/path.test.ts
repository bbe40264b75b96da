import fc from 'fast-check';
import { describe, expect, it } from 'vitest';

import { matchPath } from '../../shared/runtime/path.ts';

describe('the parameters of a path', () => {
  it.each([
    ['/health', '/health', {}],
    ['/v1/rfqs/{rfq_id}', '/v1/rfqs/rfq_1', { rfq_id: 'rfq_1' }],
    ['/a/{org}/b/{key_id}', '/a/acme/b/key_1', { org: 'acme', key_id: 'key_1' }],
    ['/a/{org}', '/a/Acme_Travel-2', { org: 'Acme_Travel-2' }],
  ])('of %s in %s', (pattern, path, params) => {
    expect(matchPath(pattern, path)).toEqual(params);
  });

  it.each([
    ['/health', '/healthy'],
    ['/health', '/health/'],
    ['/health', '/Health'],
    ['/v1/rfqs/{rfq_id}', '/v1/rfqs'],
    ['/v1/rfqs/{rfq_id}', '/v1/rfqs/'],
    ['/v1/rfqs/{rfq_id}', '/v1/rfqs/rfq_1/quotes'],
    ['/v1/rfqs/{rfq_id}/quotes', '/v1/rfqs/rfq_1'],
    ['/v1/rfqs/{rfq_id}', '//v1/rfqs/rfq_1'],
  ])('%s is another path than %s', (pattern, path) => {
    expect(matchPath(pattern, path)).toBeNull();
  });

  it.each([
    '%',
    '%zz',
    'a%20b',
    'a%2Fb',
    '%2e',
    '.',
    '..',
    '%2E%2e',
    '__name__',
    'ü',
    'x'.repeat(129),
  ])('are never %s, which no id looks like', (segment) => {
    expect(matchPath('/v1/rfqs/{rfq_id}', `/v1/rfqs/${segment}`)).toBeNull();
  });

  it('hold every id as it was given', () => {
    const id = fc.stringMatching(/^[A-Za-z0-9][A-Za-z0-9_-]{0,127}$/);
    fc.assert(
      fc.property(id, (rfqId) => {
        expect(matchPath('/v1/rfqs/{rfq_id}/quotes', `/v1/rfqs/${rfqId}/quotes`)).toEqual({
          rfq_id: rfqId,
        });
      }),
    );
  });
});
