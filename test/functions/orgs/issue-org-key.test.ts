import { afterAll, beforeAll, describe, expect, test } from 'vitest';

import { orgs } from '../../../shared/orgs/schema.ts';
import { ref } from '../../../shared/store/collection.ts';
import { type TestPurvey, startTestPurvey } from '../../support/purvey.ts';
import {
  answeredAlike,
  changeStored,
  changesNothing,
  expectNothingLeaked,
  isoAfter,
  ok,
  refused,
  refusesBodies,
  storedText,
} from '../support.ts';

const path = '/api/v1/orgs/acme/keys';
const good = { name: 'buying', scopes: ['rfqs:read', 'rfqs:write'] };

let purvey: TestPurvey;
/** May issue keys, and read RFQs. */
let admin: { org: string };

const issue = (patch: object = {}, headers: Record<string, string> = {}) =>
  purvey.call('POST', path, { as: 'operator', body: { ...good, ...patch }, headers });

beforeAll(async () => {
  purvey = await startTestPurvey();
  for (const org_slug of ['acme', 'other'])
    await ok(
      purvey.call('POST', '/api/v1/orgs', { as: 'operator', body: { org_slug, name: org_slug } }),
    );
  const { api_key } = await ok(issue({ name: 'admin', scopes: ['keys:write', 'rfqs:read'] }));
  admin = { org: api_key };
});
afterAll(() => purvey.close());

describe("issuing an organisation's key", () => {
  test('shows it once, and stores only its hash', async () => {
    const expires_at = isoAfter(purvey, 60_000);
    const reply = await issue({ scopes: ['rfqs:read', 'rfqs:write', 'rfqs:read'], expires_at });
    expect(reply.status).toBe(201);
    expect(reply.body).toEqual({
      key_id: expect.stringMatching(/^key_[0-9a-f]{16}$/),
      api_key: expect.stringMatching(/^pv_org_[0-9a-f]{64}$/),
      name: 'buying',
      scopes: ['rfqs:read', 'rfqs:write'],
      status: 'ACTIVE',
      created_at: new Date(purvey.clock.nowMs()).toISOString(),
      expires_at,
      revoked_at: null,
    });
    expect(storedText(purvey)).not.toContain(reply.body.api_key);
  });

  test('withholds it from a repetition with the same Idempotency-Key', async () => {
    const headers = { 'idempotency-key': 'key-1' };
    const { api_key, ...first } = await ok(issue({}, headers));
    const again = await changesNothing(purvey, () => issue({}, headers));
    expect(api_key).toMatch(/^pv_org_/);
    expect(again.status).toBe(201);
    expect(again.body).toEqual({ ...first, withheld: ['api_key'], notice: expect.any(String) });
    expectNothingLeaked(purvey, again);
  });

  test('gives a key that works until it expires, and not a millisecond longer', async () => {
    const { api_key } = await ok(issue({ expires_at: isoAfter(purvey, 60_000) }));
    const list = ['GET', '/v1/rfqs', { as: { org: api_key } }] as const;
    await purvey.clock.advance(59_999);
    expect((await purvey.call(...list)).status).toBe(200);
    await purvey.clock.advance(1);
    expect(await refused(purvey, [...list])).toMatchObject({ code: 'invalid_api_key' });
  });

  test('is for an own key with keys:write, which gives what it has', async () => {
    const reply = await purvey.call('POST', path, {
      as: admin,
      body: { name: 'reading', scopes: ['rfqs:read'] },
    });
    expect(reply.status).toBe(201);
    expect(reply.body.scopes).toEqual(['rfqs:read']);
  });

  test('is refused for scopes that the key has not got itself', async () => {
    const reply = await refused(purvey, ['POST', path, { as: admin, body: good }]);
    expect(reply).toMatchObject({ code: 'forbidden' });
    expect(reply.details).toEqual({ lacking_scopes: ['rfqs:write'] });
  });

  test('is refused to a key without keys:write, which is told what is needed', async () => {
    const { api_key } = await ok(issue());
    const reply = await refused(purvey, ['POST', path, { as: { org: api_key }, body: good }]);
    expect(reply).toMatchObject({ code: 'forbidden' });
    expect(reply.details).toEqual({ required_scopes: ['keys:write'] });
  });

  test('answers for another organisation as for one that there is not', async () => {
    const body = { name: 'spying', scopes: ['rfqs:read'] };
    expect(
      await answeredAlike(
        purvey,
        ['POST', '/api/v1/orgs/other/keys', { as: admin, body }],
        ['POST', '/api/v1/orgs/no_such_org/keys', { as: admin, body }],
      ),
    ).toMatchObject({ code: 'not_found' });
    expect(
      await refused(purvey, ['POST', '/api/v1/orgs/no_such_org/keys', { as: 'operator', body }]),
    ).toMatchObject({ code: 'not_found' });
  });

  test('is refused for a suspended organisation', async () => {
    await changeStored(purvey, ref(orgs, 'other'), () => ({ status: 'SUSPENDED' as const }));
    expect(
      await refused(purvey, ['POST', '/api/v1/orgs/other/keys', { as: 'operator', body: good }]),
    ).toMatchObject({ code: 'conflict' });
  });

  test('is refused with an expiry that is not ahead', async () => {
    for (const ms of [0, -1])
      expect(
        await refused(purvey, [
          'POST',
          path,
          { as: 'operator', body: { ...good, expires_at: isoAfter(purvey, ms) } },
        ]),
      ).toMatchObject({
        code: 'invalid_request',
        details: [{ field: 'body.expires_at', reason: 'must be in the future' }],
      });
  });

  refusesBodies(
    () => purvey,
    () => ['POST', path, { as: 'operator', body: good }],
    [
      ['no name', { name: undefined }, 'name', 'is required'],
      ['a blank name', { name: '' }, 'name', /blank|empty/],
      ['no scopes', { scopes: undefined }, 'scopes', 'is required'],
      ['an empty list of scopes', { scopes: [] }, 'scopes', /least 1/],
      ['an unknown scope', { scopes: ['rfqs:read', 'everything'] }, 'scopes.1', /rfqs:write/],
      ['scopes that are no list', { scopes: 'rfqs:read' }, 'scopes', /array/],
      ['an expiry that is no time', { expires_at: 'tomorrow' }, 'expires_at', /ISO 8601/],
      [
        'an expiry without an offset',
        { expires_at: '2027-01-01T00:00:00' },
        'expires_at',
        /offset/,
      ],
      [
        'an expiry on no such day',
        { expires_at: '2027-02-30T00:00:00Z' },
        'expires_at',
        /ISO 8601/,
      ],
      ['a field that it does not know', { admin: true }, 'admin', 'is not a known field'],
      ['another organisation than the path names', { org: 'other' }, 'org', /disagrees/],
    ],
  );
});
