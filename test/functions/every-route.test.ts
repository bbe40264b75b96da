import { afterAll, beforeAll, describe, expect, test } from 'vitest';

import type { Endpoint } from '../../shared/runtime/endpoint.ts';
import { manifest } from '../../shared/runtime/manifest.ts';
import {
  type Credentials,
  type TestPurvey,
  startAgent,
  startTestPurvey,
} from '../support/purvey.ts';
import { absentId, changesNothing, contents, expectRefused, unknownKey } from './support.ts';

const { http, tasks, pubsub, schedules } = manifest();
const routes = Object.entries(http).map(([name, entry]) => ({
  name,
  ...entry,
  params: [...entry.path.matchAll(/\{(\w+)\}/g)].map(([, param = '']) => param),
}));
type Route = (typeof routes)[number];
const takesBody = routes.filter(({ method }) => method !== 'GET');

const MIB = 1024 * 1024;

let purvey: TestPurvey;
let agent: Awaited<ReturnType<typeof startAgent>>;
/** One proof of each kind; the organisation's key has a scope that no marketplace route asks for. */
let proofs: { provider: Credentials; org: Credentials };

beforeAll(async () => {
  purvey = await startTestPurvey();
  agent = await startAgent();
  const registered = await purvey.call('POST', '/v1/providers', {
    body: { name: 'Somebody', endpoint: agent.url },
  });
  await purvey.call('POST', '/api/v1/orgs', {
    as: 'operator',
    body: { org_slug: 'acme', name: 'Acme' },
  });
  const issued = await purvey.call('POST', '/api/v1/orgs/acme/keys', {
    as: 'operator',
    body: { name: 'healthy', scopes: ['health:read'] },
  });
  proofs = { provider: { provider: registered.body.api_key }, org: { org: issued.body.api_key } };
});
afterAll(async () => {
  await purvey.close();
  await agent.close();
});

const pathOf = ({ path }: Pick<Route, 'path'>): string =>
  path
    .replace('{org}', 'acme')
    .replace('{provider_id}', absentId('prov'))
    .replaceAll(/\{(\w+)_id\}/g, (_, kind: string) => absentId(kind.slice(0, 3)));

const admits = ({ callers }: Route, kind: string): boolean =>
  callers.some((caller) => caller === 'public' || caller.split(':', 1)[0] === kind);

describe.each(routes)('$method $path ($name)', (route) => {
  const path = pathOf(route);
  const sent = route.method === 'GET' ? {} : { body: {} };

  test('answers another method with 405 and what is allowed', async () => {
    const served = routes.filter((other) => other.path === route.path).map(({ method }) => method);
    const other = ['PUT', 'PATCH', 'DELETE', 'POST'].find(
      (method) => !served.some((own) => own === method),
    );
    const reply = await expectRefused(purvey, [other ?? 'TRACE', path, { as: 'operator' }], {
      code: 'method_not_allowed',
    });
    const allowed = reply.headers.get('allow')?.split(', ') ?? [];
    expect(allowed.length).toBeGreaterThan(0);
    expect(served).toEqual(expect.arrayContaining(allowed));
  });

  test('refuses a wrong operator key', async () => {
    const call = [route.method, path, { ...sent, headers: { 'x-operator-key': 'wrong' } }] as const;
    await expectRefused(purvey, [...call], { code: 'invalid_api_key' });
  });

  if (!route.callers.includes('public')) {
    test('refuses who shows no key, and says which it takes', async () => {
      const reply = await expectRefused(purvey, [route.method, path, sent], {
        code: 'unauthenticated',
      });
      expect(reply.body.error.message).toContain('X-Operator-Key');
    });

    test.each([
      [
        'a key of ours that was never issued',
        { authorization: `Bearer ${unknownKey('aex_pk_live_')}` },
      ],
      ["an organisation's key that was never issued", { 'x-api-key': unknownKey('pv_org_') }],
      ['something that is no key', { 'x-api-key': 'dev-api-key' }],
      ['something that is no token', { authorization: 'Bearer eyJhbGciOiJub25lIn0.e30.' }],
    ])('refuses %s', async (_, headers) => {
      await expectRefused(purvey, [route.method, path, { ...sent, headers }], {
        code: 'invalid_api_key',
      });
    });

    test.each(['provider', 'org'] as const)('lets no %s in that it is not for', async (kind) => {
      const call = [route.method, path, { ...sent, as: proofs[kind] }] as const;
      if (!admits(route, kind)) {
        await expectRefused(purvey, [...call], { code: 'forbidden' });
      } else if (kind === 'org') {
        const reply = await expectRefused(purvey, [...call], { code: 'forbidden' });
        expect(reply.body.error.details).toEqual({
          required_scopes: route.callers.flatMap((caller) =>
            caller.startsWith('org:') ? [caller.slice(4)] : [],
          ),
        });
      } else {
        const reply = await changesNothing(purvey, () => purvey.call(...call));
        expect([200, 400, 404]).toContain(reply.status);
      }
    });

    test('takes the identity of a service only where it is for services, and only of an allowed one', async () => {
      const of = route.name;
      if (!admits(route, 'service'))
        await expectRefused(
          purvey,
          [route.method, path, { ...sent, as: { service: 'services', of } }],
          { code: 'forbidden' },
        );
      for (const as of [
        { service: 'stranger', of },
        { service: 'services', of: 'another-function' },
      ])
        await expectRefused(purvey, [route.method, path, { ...sent, as }], {
          code: 'invalid_api_key',
        });
    });
  }

  test.each(route.params)(
    'refuses a {%s} that is no id as if nothing were there',
    async (param) => {
      for (const bad of ['..%2f..', '%00', '-x', 'a%20b', '%C3%A9', 'a'.repeat(129)])
        await expectRefused(
          purvey,
          [
            route.method,
            pathOf({ path: route.path.replace(`{${param}}`, bad) }),
            { ...sent, as: 'operator' },
          ],
          { code: 'not_found' },
        );
    },
  );

  test.each(route.params)(
    'refuses a {%s} in query or body that disagrees with the path',
    async (param) => {
      const places = route.method === 'GET' ? (['query'] as const) : (['query', 'body'] as const);
      for (const where of places)
        await expectRefused(
          purvey,
          where === 'query'
            ? [route.method, `${path}?${param}=another`, { ...sent, as: 'operator' }]
            : [route.method, path, { body: { [param]: 'another' }, as: 'operator' }],
          {
            code: 'invalid_request',
            field: `${where}.${param}`,
            reason: /disagrees with the path/,
          },
        );
    },
  );
});

describe.each(takesBody)('the body of $method $path ($name)', (route) => {
  const path = pathOf(route);

  test('is refused over 1 MiB, and read at 1 MiB', async () => {
    const ofBytes = (bytes: number) => JSON.stringify({ x: 'y'.repeat(bytes - '{"x":""}'.length) });
    await expectRefused(purvey, [route.method, path, { body: ofBytes(MIB + 1), as: 'operator' }], {
      code: 'payload_too_large',
    });
    const reply = await changesNothing(purvey, () =>
      purvey.call(route.method, path, { body: ofBytes(MIB), as: 'operator' }),
    );
    expect(reply.status).not.toBe(413);
  });

  test('is refused when it is not JSON, without quoting what it holds', async () => {
    for (const body of [
      '{"webhook_secret": "hush-hush" oops',
      'hush-hush',
      '{"a":1}hush-hush',
      '{',
    ])
      await expectRefused(purvey, [route.method, path, { body }], { code: 'invalid_json' }).then(
        (reply) => expect(JSON.stringify(reply.body)).not.toContain('hush'),
      );
  });

  test('is refused as another type than JSON, or compressed', async () => {
    for (const headers of [
      { 'content-type': 'text/plain' },
      { 'content-type': 'application/x-www-form-urlencoded' },
      { 'content-encoding': 'gzip' },
    ])
      await expectRefused(purvey, [route.method, path, { body: '{}', headers }], {
        code: 'unsupported_media_type',
      });
  });

  test('is refused when it is no object or lacks what is needed', async () => {
    const { href } = new URL(`../../functions/${route.source}.ts`, import.meta.url);
    const { spec } = ((await import(href)) as { default: Endpoint }).default;
    if (!spec.body) return;
    for (const body of ['[]', '"text"', '5', 'true'])
      await expectRefused(purvey, [route.method, path, { body, as: 'operator' }], {
        code: 'invalid_request',
        field: 'body',
        reason: /object/,
      });
    for (const body of ['{}', 'null']) {
      const reply = await expectRefused(purvey, [route.method, path, { body, as: 'operator' }], {
        code: 'invalid_request',
      });
      expect(reply.body.error.details).toContainEqual({
        field: expect.stringMatching(/^body\./),
        reason: 'is required',
      });
    }
  });
});

test('internal routes are for services alone', () => {
  const internal = routes.filter(({ path }) => path.startsWith('/internal/'));
  expect(internal.length).toBeGreaterThan(0);
  for (const { callers } of internal) expect(callers).toEqual(['service']);
});

test.each([
  ['GET', '/v1/nothing'],
  ['POST', '/v1/providers/x/y/z'],
  ['GET', '/v1/providers/'],
  ['GET', '/V1/providers'],
  ['GET', '//v1/providers'],
  ['DELETE', '/internal/v1'],
])('answers %s %s with 404: nothing is served there', async (method, path) => {
  await expectRefused(purvey, [method, path, { as: 'operator' }], { code: 'not_found' });
});

test.each(routes)('$name is not reached beside its path', async ({ name, method }) => {
  await expectRefused(purvey, [method, `/_functions/${name}`, { as: 'operator' }], {
    code: 'not_found',
  });
});

test('a request id is taken over from the caller, unless it is none', async () => {
  const idFor = async (given: string) =>
    (await purvey.call('GET', '/health', { headers: { 'x-request-id': given } })).headers.get(
      'x-request-id',
    );
  expect(await idFor('trace-1:a.b_c')).toBe('trace-1:a.b_c');
  for (const bad of ['a b', '<script>', 'a'.repeat(129)]) expect(await idFor(bad)).toMatch(/^req_/);
});

describe.each(Object.keys({ ...tasks, ...pubsub, ...schedules }))(
  '%s, which only the platform calls',
  (name) => {
    const path = `/_functions/${name}`;
    const body = { rfq_id: absentId('rfq'), page: 0 };

    test('is no route of the front door', async () => {
      await expectRefused(purvey, ['POST', `/${name}`, { as: 'operator', body }], {
        code: 'not_found',
      });
    });

    test.each([
      ['nothing', () => undefined],
      ['the operator key', () => 'operator' as const],
      ["a provider's key", () => proofs.provider],
      ["an organisation's key", () => proofs.org],
      ['a token for another function', () => ({ service: 'tasks', of: 'another-function' })],
    ])('is refused with %s', async (_, as) => {
      await expectRefused(purvey, ['POST', path, { as: as(), body }], { code: 'unauthenticated' });
    });

    test('is refused with the identity of another service account', async () => {
      await expectRefused(purvey, ['POST', path, { as: { service: 'stranger', of: name }, body }], {
        code: 'forbidden',
      });
    });

    test('is refused with a token that is forged or has expired', async () => {
      const audience = purvey.config.function_url.replace('{name}', name);
      const email = purvey.config.task_service_account;
      const token = await purvey.cloud.identity.tokenFor({ email, audience });
      const [head = '', claims = ''] = token.split('.');
      const forged = `${head}.${claims}.${Buffer.from('forged').toString('base64url')}`;
      const unsigned = `${Buffer.from('{"alg":"none"}').toString('base64url')}.${claims}.`;
      for (const bad of [forged, unsigned])
        await expectRefused(
          purvey,
          ['POST', path, { headers: { authorization: `Bearer ${bad}` }, body }],
          { code: 'unauthenticated' },
        );
      await purvey.clock.advance(3_600_001);
      await purvey.settle();
      await expectRefused(
        purvey,
        ['POST', path, { headers: { authorization: `Bearer ${token}` }, body }],
        { code: 'unauthenticated' },
      );
    });
  },
);

test('none of all this has left anything behind', () => {
  expect([...contents(purvey).keys()].filter((name) => !name.startsWith('leases/'))).toHaveLength(
    11,
  );
});
