import { afterAll, beforeAll, describe, expect, test } from 'vitest';

import { eligibilityPolicy } from '../../../shared/runtime/settings.ts';
import {
  type ReadyProvider,
  type TestPurvey,
  readyProvider,
  startAgent,
  startTestPurvey,
} from '../../support/purvey.ts';
import {
  absentId,
  answeredAlike,
  ok,
  refused,
  refusesQueries,
  registerProvider,
} from '../support.ts';

let purvey: TestPurvey;
let agent: Awaited<ReturnType<typeof startAgent>>;
let eligible: ReadyProvider;
let fresh: { id: string; key: string };

const pathOf = (id: string) => `/v1/providers/${id}/eligibility`;
const eligibilityOf = ({ id, key }: { id: string; key: string }) =>
  ok(purvey.call('GET', pathOf(id), { as: { provider: key } }));

beforeAll(async () => {
  purvey = await startTestPurvey();
  agent = await startAgent();
  eligible = await readyProvider(purvey, agent.url);
  fresh = await registerProvider(purvey, { name: 'Fresh', endpoint: agent.url });
});
afterAll(async () => {
  await purvey.close();
  await agent.close();
});

describe('explaining eligibility', () => {
  test.each([
    ['the provider', () => ({ provider: eligible.key })],
    ['the operator', () => 'operator' as const],
  ])('tells %s all that the decision was made on', async (_, as) => {
    const reply = await purvey.call('GET', pathOf(eligible.id), { as: as() });
    expect(reply.status).toBe(200);
    expect(reply.body).toEqual({
      provider_id: eligible.id,
      eligible: true,
      reasons: [],
      score: 88.5,
      collateral: { amount: '250000000', currency: 'IRR' },
      policy_version: eligibilityPolicy().policy_version,
      checked_at: new Date(purvey.clock.nowMs()).toISOString(),
    });
  });

  test('names every reason that applies', async () => {
    expect(await eligibilityOf(fresh)).toMatchObject({
      eligible: false,
      reasons: ['provider_not_active', 'score_missing', 'insufficient_collateral'],
      score: null,
      collateral: { amount: '0', currency: 'IRR' },
    });
  });

  test.each([
    [70, '200000000', []],
    [69.99, '200000000', ['score_below_threshold']],
    [70, '199999999.999999999', ['insufficient_collateral']],
    [0, '1', ['score_below_threshold', 'insufficient_collateral']],
  ])('of score %d and collateral %s answers %j', async (score, collateral, reasons) => {
    const provider = await readyProvider(purvey, agent.url, { score, collateral });
    expect(await eligibilityOf(provider)).toMatchObject({
      eligible: reasons.length === 0,
      reasons,
    });
  });

  test('tells collateral in another currency apart from none', async () => {
    const provider = await readyProvider(purvey, agent.url, { collateral: '0' });
    await ok(
      purvey.call('POST', `/internal/v1/providers/${provider.id}/collateral`, {
        as: 'operator',
        body: { kind: 'deposit', amount: '900000000', currency: 'USD', reference: 'x' },
      }),
    );
    expect(await eligibilityOf(provider)).toMatchObject({
      reasons: ['collateral_currency_mismatch'],
    });
  });

  test('costs one read beside the key, and writes nothing', async () => {
    const { usage } = await purvey.cloud.meter.measure(() => eligibilityOf(eligible));
    expect(usage).toMatchObject({ reads: 2, writes: 0, deletes: 0 });
  });

  test("answers another provider's as one that there is not", async () => {
    const as = { provider: fresh.key };
    expect(
      await answeredAlike(
        purvey,
        ['GET', pathOf(eligible.id), { as }],
        ['GET', pathOf(absentId('prov')), { as }],
      ),
    ).toMatchObject({ code: 'not_found' });
    expect(
      await refused(purvey, ['GET', pathOf(absentId('prov')), { as: 'operator' }]),
    ).toMatchObject({ code: 'not_found' });
  });

  refusesQueries(
    () => purvey,
    () => ['GET', pathOf(eligible.id), { as: { provider: eligible.key } }],
    [
      ['category=travel.*', 'category', /must not hold white space or any of/],
      ['category=', 'category', /empty/],
      ['provider_id=prov_1', 'provider_id', /disagrees/],
    ],
  );

  test('counts a score as stale after 90 days, no sooner', async () => {
    await purvey.clock.advance(90 * 86_400_000);
    expect(await eligibilityOf(eligible)).toMatchObject({ eligible: true });
    await purvey.clock.advance(1);
    expect(await eligibilityOf(eligible)).toMatchObject({
      eligible: false,
      reasons: ['score_stale'],
    });
  });
});
