import { afterAll, beforeAll, describe, expect, test } from 'vitest';

import { type TestPurvey, startTestPurvey } from '../../support/purvey.ts';
import {
  absentId,
  answeredAlike,
  changesNothing,
  expectNothingLeaked,
  ok,
  refused,
} from '../support.ts';

interface Issued {
  key_id: string;
  api_key: string;
}

let purvey: TestPurvey;
let admin: Issued;
let theirs: Issued;

const pathOf = (keyId: string, org = 'acme') => `/api/v1/orgs/${org}/keys/${keyId}`;
const issue = (scopes: string[], org = 'acme'): Promise<Issued> =>
  ok(
    purvey.call('POST', `/api/v1/orgs/${org}/keys`, {
      as: 'operator',
      body: { name: 'key', scopes },
    }),
  );

beforeAll(async () => {
  purvey = await startTestPurvey();
  for (const org_slug of ['acme', 'other'])
    await ok(
      purvey.call('POST', '/api/v1/orgs', { as: 'operator', body: { org_slug, name: org_slug } }),
    );
  admin = await issue(['keys:write']);
  theirs = await issue(['rfqs:read'], 'other');
});
afterAll(() => purvey.close());

describe("revoking an organisation's key", () => {
  test('ends it from the next request on, and answers a repetition the same', async () => {
    const { key_id, api_key } = await issue(['rfqs:read']);
    const list = ['GET', '/v1/rfqs', { as: { org: api_key } }] as const;
    expect((await purvey.call(...list)).status).toBe(200);
    const revoke = () => purvey.call('DELETE', pathOf(key_id), { as: { org: admin.api_key } });
    await purvey.clock.advance(1_000);
    const reply = await revoke();
    expect(reply.status).toBe(200);
    expect(reply.body).toEqual({
      key_id,
      name: 'key',
      scopes: ['rfqs:read'],
      status: 'REVOKED',
      created_at: expect.any(String),
      expires_at: null,
      revoked_at: new Date(purvey.clock.nowMs()).toISOString(),
    });
    expectNothingLeaked(purvey, reply);
    expect(await refused(purvey, [...list])).toMatchObject({ code: 'invalid_api_key' });
    await purvey.clock.advance(1_000);
    const again = await changesNothing(purvey, revoke);
    expect(again.body).toEqual(reply.body);
  });

  test("answers another organisation's key as one that there is not", async () => {
    const as = { org: admin.api_key };
    expect(
      await answeredAlike(
        purvey,
        ['DELETE', pathOf(theirs.key_id), { as }],
        ['DELETE', pathOf(absentId('key')), { as }],
      ),
    ).toMatchObject({ code: 'not_found' });
    expect(
      await answeredAlike(
        purvey,
        ['DELETE', pathOf(theirs.key_id, 'other'), { as }],
        ['DELETE', pathOf(theirs.key_id, 'no_such_org'), { as }],
      ),
    ).toMatchObject({ code: 'not_found' });
    expect((await purvey.call('GET', '/v1/rfqs', { as: { org: theirs.api_key } })).status).toBe(
      200,
    );
  });

  test('answers 404 to the operator for a key that there is not', async () => {
    for (const path of [pathOf(absentId('key')), pathOf(admin.key_id, 'no_such_org')])
      expect(await refused(purvey, ['DELETE', path, { as: 'operator' }])).toMatchObject({
        code: 'not_found',
      });
  });

  test('is refused to a key without keys:write', async () => {
    const { api_key } = await issue(['rfqs:write']);
    const reply = await refused(purvey, ['DELETE', pathOf(admin.key_id), { as: { org: api_key } }]);
    expect(reply).toMatchObject({ code: 'forbidden' });
    expect(reply.details).toEqual({ required_scopes: ['keys:write'] });
  });

  test('takes even the key that asks for it', async () => {
    const last = await issue(['keys:write']);
    const call = ['DELETE', pathOf(last.key_id), { as: { org: last.api_key } }] as const;
    expect((await purvey.call(...call)).body).toMatchObject({ status: 'REVOKED' });
    expect(await refused(purvey, [...call])).toMatchObject({ code: 'invalid_api_key' });
  });
});
