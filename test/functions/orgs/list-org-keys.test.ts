import { afterAll, beforeAll, describe, expect, test } from 'vitest';

import { type TestPurvey, startTestPurvey } from '../../support/purvey.ts';
import {
  answeredAlike,
  badPages,
  expectNothingLeaked,
  ok,
  pagedThrough,
  refused,
  refusesQueries,
} from '../support.ts';

const path = '/api/v1/orgs/acme/keys';

let purvey: TestPurvey;
let admin: { org: string };
let reader: { org: string };
const keyIds: string[] = [];

beforeAll(async () => {
  purvey = await startTestPurvey();
  for (const org_slug of ['acme', 'other'])
    await ok(
      purvey.call('POST', '/api/v1/orgs', { as: 'operator', body: { org_slug, name: org_slug } }),
    );
  const issue = async (scopes: string[]) => {
    const { key_id, api_key } = await ok(
      purvey.call('POST', path, { as: 'operator', body: { name: scopes.join(' '), scopes } }),
    );
    keyIds.push(key_id);
    return { org: api_key };
  };
  admin = await issue(['keys:write']);
  reader = await issue(['rfqs:read']);
  await issue(['costs:read']);
  await ok(purvey.call('DELETE', `${path}/${keyIds[2]}`, { as: 'operator' }));
  await ok(
    purvey.call('POST', '/api/v1/orgs/other/keys', {
      as: 'operator',
      body: { name: 'theirs', scopes: ['keys:write'] },
    }),
  );
});
afterAll(() => purvey.close());

const idsOf = (keys: unknown[]) => (keys as { key_id: string }[]).map(({ key_id }) => key_id);

describe("listing an organisation's keys", () => {
  test.each([
    ['a key with keys:write', () => admin],
    ['the operator', () => 'operator' as const],
  ])('shows %s what each may do, revoked ones too, and never a key or its hash', async (_, as) => {
    const reply = await purvey.call('GET', path, { as: as() });
    expect(reply.status).toBe(200);
    expect(idsOf(reply.body.keys).toSorted()).toEqual(keyIds.toSorted());
    expect(reply.body.next_cursor).toBeNull();
    const times = { created_at: expect.any(String), expires_at: null };
    expect(reply.body.keys).toContainEqual({
      key_id: keyIds[0],
      name: 'keys:write',
      scopes: ['keys:write'],
      status: 'ACTIVE',
      revoked_at: null,
      ...times,
    });
    expect(reply.body.keys).toContainEqual({
      key_id: keyIds[2],
      name: 'costs:read',
      scopes: ['costs:read'],
      status: 'REVOKED',
      revoked_at: expect.any(String),
      ...times,
    });
    expectNothingLeaked(purvey, reply);
    expect(JSON.stringify(reply.body)).not.toMatch(/[0-9a-f]{64}/);
  });

  test('pages through them, each once', async () => {
    const listed = await pagedThrough(purvey, ['GET', path, { as: admin }], 'keys');
    expect(idsOf(listed).toSorted()).toEqual(keyIds.toSorted());
  });

  test('is refused to a key without keys:write', async () => {
    const reply = await refused(purvey, ['GET', path, { as: reader }]);
    expect(reply).toMatchObject({ code: 'forbidden' });
    expect(reply.details).toEqual({ required_scopes: ['keys:write'] });
  });

  test('answers for another organisation as for one that there is not, whatever the scope', async () => {
    for (const as of [admin, reader])
      expect(
        await answeredAlike(
          purvey,
          ['GET', '/api/v1/orgs/other/keys', { as }],
          ['GET', '/api/v1/orgs/no_such_org/keys', { as }],
        ),
      ).toMatchObject({ code: 'not_found' });
  });

  test('answers 404 to the operator for an organisation that there is not', async () => {
    expect(
      await refused(purvey, ['GET', '/api/v1/orgs/no_such_org/keys', { as: 'operator' }]),
    ).toMatchObject({ code: 'not_found' });
  });

  refusesQueries(
    () => purvey,
    () => ['GET', path, { as: admin }],
    badPages,
  );
});
