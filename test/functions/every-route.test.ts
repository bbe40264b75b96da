import { afterAll, beforeAll, describe, expect, test } from 'vitest';

import type { Endpoint } from '../../shared/runtime/endpoint.ts';
import { manifest } from '../../shared/runtime/manifest.ts';
import { type TestPurvey, startAgent, startTestPurvey } from '../support/purvey.ts';
import {
  absentId,
  changesNothing,
  contents,
  keysOfEachKind,
  refused,
  unknownKey,
} from './support.ts';

const MIB = 1024 * 1024;

interface Route {
  readonly name: string;
  readonly source: string;
  readonly method: string;
  readonly pattern: string;
  /** The pattern with ids that nothing has, but for the organisation `acme`. */
  readonly path: string;
  readonly params: readonly string[];
  readonly callers: readonly string[];
  /** An empty body where there is one. */
  readonly sent: { readonly body?: object };
}

const routes: readonly Route[] = Object.entries(manifest().http).map(([name, entry]) => ({
  name,
  source: entry.source,
  method: entry.method,
  pattern: entry.path,
  path: withAbsentIds(entry.path),
  params: [...entry.path.matchAll(/\{(\w+)\}/g)].map(([, param = '']) => param),
  callers: entry.callers,
  sent: entry.method === 'GET' ? {} : { body: {} },
}));

function withAbsentIds(pattern: string): string {
  return pattern
    .replace('{org}', 'acme')
    .replace('{provider_id}', absentId('prov'))
    .replace('{key}', absentId('exk'))
    .replaceAll(/\{(\w+)_id\}/g, (_, kind: string) => absentId(kind.slice(0, 3)));
}

const isFor = (kind: string) => (route: Route) =>
  route.callers.some((caller) => caller === 'public' || caller.split(':', 1)[0] === kind);
const isClosedTo = (kind: string) => (route: Route) => !isFor(kind)(route);
const isOpen = isFor('public');
const hasBody = ({ method }: Route) => method !== 'GET';
const scopesOf = ({ callers }: Route) =>
  callers.filter((caller) => caller.startsWith('org:')).map((caller) => caller.slice(4));
const withParams = routes.flatMap((route) =>
  route.params.map((param) => ({ ...route, param, label: `${route.name} {${param}}` })),
);

let purvey: TestPurvey;
let agent: Awaited<ReturnType<typeof startAgent>>;
let keys: Awaited<ReturnType<typeof keysOfEachKind>>;
let before: Map<string, number>;

beforeAll(async () => {
  purvey = await startTestPurvey();
  agent = await startAgent();
  keys = await keysOfEachKind(purvey, agent.url);
  before = contents(purvey);
});
afterAll(async () => {
  await purvey.close();
  await agent.close();
});

describe('another method than is served is refused with 405 and what is allowed', () => {
  test.each(routes)('beside $method $pattern ($name)', async ({ pattern, path }) => {
    const served = routes.filter((route) => route.pattern === pattern).map(({ method }) => method);
    const other = ['PUT', 'PATCH', 'DELETE', 'POST'].find((method) => !served.includes(method));
    const { code, headers } = await refused(purvey, [other ?? 'PROPFIND', path]);
    expect(code).toBe('method_not_allowed');
    const allowed = headers.get('allow')?.split(', ') ?? [];
    expect(allowed.length).toBeGreaterThan(0);
    expect(served).toEqual(expect.arrayContaining(allowed));
  });
});

describe('a wrong key is refused', () => {
  test.each(routes)('$name refuses a wrong operator key', async ({ method, path, sent }) => {
    const headers = { 'x-operator-key': 'wrong' };
    expect(await refused(purvey, [method, path, { ...sent, headers }])).toMatchObject({
      code: 'invalid_api_key',
    });
  });

  test.each(routes.filter((route) => !isOpen(route)))(
    '$name refuses keys that were never issued, and what is no key',
    async ({ method, path, sent }) => {
      for (const headers of [
        { authorization: `Bearer ${unknownKey('aex_pk_live_')}` },
        { 'x-api-key': unknownKey('pv_org_') },
        { 'x-api-key': 'dev-api-key' },
        { authorization: 'Bearer eyJhbGciOiJub25lIn0.e30.' },
      ])
        expect(await refused(purvey, [method, path, { ...sent, headers }])).toMatchObject({
          code: 'invalid_api_key',
        });
    },
  );

  test.each(routes.filter((route) => !isOpen(route)))(
    '$name refuses the token of a stranger, and one for another function',
    async ({ name, method, path, sent }) => {
      for (const as of [
        { service: 'stranger', of: name },
        { service: 'services', of: 'another-function' },
      ])
        expect(await refused(purvey, [method, path, { ...sent, as }])).toMatchObject({
          code: 'invalid_api_key',
        });
    },
  );
});

describe('who a route is not for is refused', () => {
  test.each(routes.filter((route) => !isOpen(route)))(
    '$name refuses who shows no key, and says which it takes',
    async ({ method, path, sent }) => {
      const { code, message } = await refused(purvey, [method, path, sent]);
      expect(code).toBe('unauthenticated');
      expect(message).toContain('X-Operator-Key');
    },
  );

  test.each(routes.filter(isClosedTo('provider')))(
    '$name refuses a provider',
    async ({ method, path, sent }) => {
      expect(await refused(purvey, [method, path, { ...sent, as: keys.provider }])).toMatchObject({
        code: 'forbidden',
      });
    },
  );

  test.each(routes.filter(isClosedTo('org')))(
    '$name refuses an organisation',
    async ({ method, path, sent }) => {
      expect(await refused(purvey, [method, path, { ...sent, as: keys.org }])).toMatchObject({
        code: 'forbidden',
      });
    },
  );

  test.each(routes.filter((route) => scopesOf(route).length > 0))(
    '$name tells an organisation which scope its key lacks',
    async (route) => {
      const { method, path, sent } = route;
      expect(await refused(purvey, [method, path, { ...sent, as: keys.org }])).toMatchObject({
        code: 'forbidden',
        details: { required_scopes: scopesOf(route) },
      });
    },
  );

  test.each(routes.filter(isClosedTo('service')))(
    '$name refuses a service',
    async ({ name, method, path, sent }) => {
      const as = { service: 'services', of: name };
      expect(await refused(purvey, [method, path, { ...sent, as }])).toMatchObject({
        code: 'forbidden',
      });
    },
  );

  test('internal routes are for services alone', () => {
    const internal = routes.filter(({ pattern }) => pattern.startsWith('/internal/'));
    expect(internal.length).toBeGreaterThan(0);
    expect(internal.flatMap(({ callers }) => callers)).toEqual(internal.map(() => 'service'));
  });
});

describe('an id in the path', () => {
  test.each(withParams)('$label that is none is refused', async (route) => {
    for (const bad of ['..%2f..', '%00', '-x', 'a%20b', '%C3%A9', 'a'.repeat(129)]) {
      const path = withAbsentIds(route.pattern.replace(`{${route.param}}`, bad));
      expect(
        await refused(purvey, [route.method, path, { ...route.sent, as: 'operator' }]),
      ).toMatchObject({ code: 'not_found' });
    }
  });

  test.each(withParams)('$label that the query contradicts is refused', async (route) => {
    const { method, path, param, sent } = route;
    const call = [method, `${path}?${param}=another`, { ...sent, as: 'operator' }] as const;
    expect(await refused(purvey, call)).toMatchObject({
      code: 'invalid_request',
      details: [{ field: `query.${param}`, reason: expect.stringContaining('disagrees') }],
    });
  });

  test.each(withParams.filter(hasBody))(
    '$label that the body contradicts is refused',
    async (route) => {
      const { method, path, param } = route;
      const call = [method, path, { body: { [param]: 'another' }, as: 'operator' }] as const;
      expect(await refused(purvey, call)).toMatchObject({
        code: 'invalid_request',
        details: [{ field: `body.${param}`, reason: expect.stringContaining('disagrees') }],
      });
    },
  );
});

describe.each(routes.filter(hasBody))(
  'the body of $method $pattern',
  ({ method, path, source }) => {
    test('is refused over 1 MiB, and read at 1 MiB', async () => {
      const ofBytes = (bytes: number) =>
        JSON.stringify({ x: 'y'.repeat(bytes - '{"x":""}'.length) });
      const call = (bytes: number) =>
        [method, path, { body: ofBytes(bytes), as: 'operator' }] as const;
      expect(await refused(purvey, call(MIB + 1))).toMatchObject({ code: 'payload_too_large' });
      const { status } = await changesNothing(purvey, () => purvey.call(...call(MIB)));
      expect(status).not.toBe(413);
    });

    test('is refused when it is not JSON, without quoting what it holds', async () => {
      const bodies = ['{"webhook_secret": "hush-hush" oops', 'hush-hush', '{"a":1}hush-hush', '{'];
      for (const body of bodies) {
        const { code, message } = await refused(purvey, [method, path, { body }]);
        expect(code).toBe('invalid_json');
        expect(message).not.toContain('hush');
      }
    });

    test('is refused as another type than JSON, or compressed', async () => {
      for (const headers of [
        { 'content-type': 'text/plain' },
        { 'content-type': 'application/x-www-form-urlencoded' },
        { 'content-encoding': 'gzip' },
      ])
        expect(await refused(purvey, [method, path, { body: '{}', headers }])).toMatchObject({
          code: 'unsupported_media_type',
        });
    });

    test('is refused when it is no object or lacks what is needed', async () => {
      const { href } = new URL(`../../functions/${source}.ts`, import.meta.url);
      const { default: endpoint } = (await import(href)) as { default: Endpoint };
      const bodies = endpoint.spec.body ? ['[]', '"text"', '5', 'true'] : [];
      for (const body of bodies)
        expect(await refused(purvey, [method, path, { body, as: 'operator' }])).toMatchObject({
          code: 'invalid_request',
          details: expect.arrayContaining([
            { field: 'body', reason: expect.stringContaining('object') },
          ]),
        });
      const lacking = endpoint.spec.body ? ['{}', 'null'] : [];
      for (const body of lacking)
        expect(await refused(purvey, [method, path, { body, as: 'operator' }])).toMatchObject({
          code: 'invalid_request',
          details: expect.arrayContaining([
            {
              field: expect.stringMatching(/^body\b/),
              reason: expect.stringMatching(/is required$/),
            },
          ]),
        });
    });
  },
);

describe('a path that is none', () => {
  test.each([
    ['GET', '/v1/nothing'],
    ['POST', '/v1/providers/x/y/z'],
    ['GET', '/v1/providers/'],
    ['GET', '/V1/providers'],
    ['GET', '//v1/providers'],
    ['DELETE', '/internal/v1'],
  ])('is refused: %s %s', async (method, path) => {
    expect(await refused(purvey, [method, path, { as: 'operator' }])).toMatchObject({
      code: 'not_found',
    });
  });

  test.each(routes)(
    "is refused at $name's own address: only its path leads there",
    async (route) => {
      const path = `/_functions/${route.name}`;
      expect(await refused(purvey, [route.method, path, { as: 'operator' }])).toMatchObject({
        code: 'not_found',
      });
    },
  );
});

test('a request id is taken over from the caller, unless it is none', async () => {
  const idFor = async (given: string) => {
    const { headers } = await purvey.call('GET', '/health', { headers: { 'x-request-id': given } });
    return headers.get('x-request-id');
  };
  expect(await idFor('trace-1:a.b_c')).toBe('trace-1:a.b_c');
  for (const bad of ['a b', '<script>', 'a'.repeat(129)]) expect(await idFor(bad)).toMatch(/^req_/);
});

test('not one of all these requests has left anything behind', () => {
  expect(contents(purvey)).toEqual(before);
});
