import { afterAll, beforeAll, describe, expect, test } from 'vitest';

import { providers } from '../../../shared/providers/schema.ts';
import { ref } from '../../../shared/store/collection.ts';
import { type TestPurvey, startAgent, startTestPurvey } from '../../support/purvey.ts';
import {
  absentId,
  changeStored,
  ok,
  refused,
  refusesBodies,
  registerProvider,
} from '../support.ts';

let purvey: TestPurvey;
let agent: Awaited<ReturnType<typeof startAgent>>;
let waiting: { id: string; key: string };

const pathOf = (id: string) => `/internal/v1/providers/${id}/verify`;
const passed = { verification_type: 'identity', verified: true };
const register = (name: string) => registerProvider(purvey, { name, endpoint: agent.url });

beforeAll(async () => {
  purvey = await startTestPurvey();
  agent = await startAgent();
  waiting = await register('Waiting');
});
afterAll(async () => {
  await purvey.close();
  await agent.close();
});

describe('verifying a provider', () => {
  test.each(['identity', 'endpoint'])('activates it when its %s check passes', async (type) => {
    const { id } = await register(`Proves ${type}`);
    const reply = await purvey.call('POST', pathOf(id), {
      as: { service: 'services', of: 'verify-provider' },
      body: { verification_type: type, verified: true, notes: 'seen' },
    });
    const now = new Date(purvey.clock.nowMs()).toISOString();
    expect(reply.status).toBe(200);
    expect(reply.body).toMatchObject({
      provider_id: id,
      status: 'ACTIVE',
      verified_at: now,
      trust_tier: 'UNVERIFIED',
      verifications: { [type]: { verified: true, notes: 'seen', checked_at: now } },
    });
    expect(JSON.stringify(reply.body)).not.toMatch(/aex_|hash/);
    expect(await ok(purvey.call('GET', `/v1/providers/${id}`))).toMatchObject({ status: 'ACTIVE' });
  });

  test.each([
    ['a passed compliance check', { verification_type: 'compliance', verified: true }],
    ['a failed identity check', { verification_type: 'identity', verified: false }],
  ])('keeps it waiting after %s, and records that', async (what, body) => {
    const { id } = await register(`After ${what}`);
    const reply = await ok(purvey.call('POST', pathOf(id), { as: 'operator', body }));
    expect(reply).toMatchObject({ status: 'PENDING_VERIFICATION', verified_at: null });
    expect(reply.verifications[body.verification_type]).toMatchObject({ verified: body.verified });
  });

  test('takes nothing from an ACTIVE one when a later check fails', async () => {
    const { id } = await register('Once proved');
    await ok(purvey.call('POST', pathOf(id), { as: 'operator', body: passed }));
    const reply = await ok(
      purvey.call('POST', pathOf(id), { as: 'operator', body: { ...passed, verified: false } }),
    );
    expect(reply).toMatchObject({ status: 'ACTIVE', verified_at: expect.any(String) });
  });

  test('never lifts a suspension', async () => {
    const { id } = await register('Suspended');
    await changeStored(purvey, ref(providers, id), () => ({ status: 'SUSPENDED' as const }));
    const reply = await ok(purvey.call('POST', pathOf(id), { as: 'operator', body: passed }));
    expect(reply.status).toBe('SUSPENDED');
  });

  test('refuses an archived one: that is final', async () => {
    const { id } = await register('Archived');
    await changeStored(purvey, ref(providers, id), () => ({ status: 'INACTIVE' as const }));
    expect(
      await refused(purvey, ['POST', pathOf(id), { as: 'operator', body: passed }]),
    ).toMatchObject({ code: 'invalid_transition' });
  });

  test('answers 404 for one that there is not', async () => {
    expect(
      await refused(purvey, ['POST', pathOf(absentId('prov')), { as: 'operator', body: passed }]),
    ).toMatchObject({ code: 'not_found' });
  });

  test('is not for the provider itself', async () => {
    expect(
      await refused(purvey, [
        'POST',
        pathOf(waiting.id),
        { as: { provider: waiting.key }, body: passed },
      ]),
    ).toMatchObject({ code: 'forbidden' });
  });

  refusesBodies(
    () => purvey,
    () => ['POST', pathOf(waiting.id), { as: 'operator', body: passed }],
    [
      [
        'no verification_type',
        { verification_type: undefined },
        'verification_type',
        /required|must be/,
      ],
      ['an unknown check', { verification_type: 'vibes' }, 'verification_type', /identity/],
      ['no result', { verified: undefined }, 'verified', 'is required'],
      ['a result that is no boolean', { verified: 'true' }, 'verified', 'must be a boolean'],
      ['notes that are no text', { notes: {} }, 'notes', 'must be a string'],
      ['notes that are too long', { notes: 'x'.repeat(2_001) }, 'notes', /most 2000/],
      [
        'another provider than the path names',
        { provider_id: 'prov_1' },
        'provider_id',
        /disagrees/,
      ],
    ],
  );
});
