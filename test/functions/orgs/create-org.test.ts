import { afterAll, beforeAll, describe, expect, test } from 'vitest';

import { type TestPurvey, startTestPurvey } from '../../support/purvey.ts';
import { changesNothing, ok, refused, refusesBodies, statusesOf } from '../support.ts';

const path = '/api/v1/orgs';
const good = { org_slug: 'acme_travel', name: 'Acme Travel' };

let purvey: TestPurvey;
const create = (body: unknown, headers: Record<string, string> = {}) =>
  purvey.call('POST', path, { as: 'operator', body, headers });

beforeAll(async () => {
  purvey = await startTestPurvey();
});
afterAll(() => purvey.close());

describe('creating an organisation', () => {
  test('answers it, on the smallest plan', async () => {
    const reply = await create(good);
    expect(reply.status).toBe(201);
    expect(reply.body).toEqual({
      org_slug: 'acme_travel',
      name: 'Acme Travel',
      plan: 'starter',
      status: 'ACTIVE',
      created_at: new Date(purvey.clock.nowMs()).toISOString(),
    });
  });

  test.each(['abc', 'a23', `a${'b_9'.repeat(13)}`])('takes the slug %s', async (org_slug) => {
    expect((await create({ ...good, org_slug, plan: 'scale' })).body).toMatchObject({
      org_slug,
      plan: 'scale',
    });
  });

  test('refuses a slug that is in use', async () => {
    await ok(create({ ...good, org_slug: 'taken' }));
    expect(
      await refused(purvey, [
        'POST',
        path,
        { as: 'operator', body: { ...good, org_slug: 'taken', name: 'Other' } },
      ]),
    ).toMatchObject({ code: 'name_taken' });
  });

  test('lets exactly one of several win who come at once', async () => {
    const replies = await Promise.all(
      Array.from({ length: 3 }, () => create({ ...good, org_slug: 'contested' })),
    );
    expect(statusesOf(replies)).toEqual([201, 409, 409]);
  });

  test('answers a repetition with the same Idempotency-Key the same', async () => {
    const headers = { 'idempotency-key': 'org-1' };
    const first = await create({ ...good, org_slug: 'repeated' }, headers);
    const again = await changesNothing(purvey, () =>
      create({ ...good, org_slug: 'repeated' }, headers),
    );
    expect([again.status, again.body]).toEqual([201, first.body]);
    expect(
      await refused(purvey, [
        'POST',
        path,
        { as: 'operator', body: { ...good, org_slug: 'changed' }, headers },
      ]),
    ).toMatchObject({ code: 'idempotency_mismatch' });
  });

  test('takes a key for a new request once it was forgotten after a day', async () => {
    const headers = { 'idempotency-key': 'org-2' };
    await create({ ...good, org_slug: 'yesterday' }, headers);
    await purvey.clock.advance(24 * 3_600_000 + 60_000);
    const next = await create({ ...good, org_slug: 'today' }, headers);
    expect([next.status, next.body.org_slug]).toEqual([201, 'today']);
  });

  refusesBodies(
    () => purvey,
    () => ['POST', path, { as: 'operator', body: { ...good, org_slug: 'never_stored' } }],
    [
      ['no slug', { org_slug: undefined }, 'org_slug', 'is required'],
      ['a slug that is no text', { org_slug: 5 }, 'org_slug', 'must be a string'],
      ['a slug that is too short', { org_slug: 'ab' }, 'org_slug', /3 to 40/],
      ['a slug that is too long', { org_slug: 'a'.repeat(41) }, 'org_slug', /3 to 40/],
      ['a slug with capitals', { org_slug: 'Acme' }, 'org_slug', /3 to 40/],
      ['a slug with a hyphen', { org_slug: 'acme-travel' }, 'org_slug', /3 to 40/],
      ['a slug that begins with a digit', { org_slug: '1acme' }, 'org_slug', /3 to 40/],
      ['a slug with a path in it', { org_slug: 'acme/keys' }, 'org_slug', /3 to 40/],
      ['a slug with a line end', { org_slug: 'acme\n' }, 'org_slug', /3 to 40/],
      ['no name', { name: undefined }, 'name', 'is required'],
      ['a blank name', { name: ' ' }, 'name', /blank|empty/],
      ['a name that is too long', { name: 'x'.repeat(121) }, 'name', /most 120/],
      ['an unknown plan', { plan: 'platinum' }, 'plan', /starter/],
      ['a field that it does not know', { status: 'ACTIVE' }, 'status', 'is not a known field'],
    ],
  );
});
