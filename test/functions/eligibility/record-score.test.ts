import { afterAll, beforeAll, describe, expect, test } from 'vitest';

import { type TestPurvey, startAgent, startTestPurvey } from '../../support/purvey.ts';
import {
  absentId,
  changesNothing,
  ok,
  refused,
  refusesBodies,
  registerProvider,
  storedIn,
} from '../support.ts';

let purvey: TestPurvey;
let agent: Awaited<ReturnType<typeof startAgent>>;
let provider: { id: string; key: string };

const pathOf = (id: string) => `/internal/v1/providers/${id}/scores`;
const good = { score: 88.5, source: 'quarterly review' };
const record = (body: object, headers: Record<string, string> = {}) =>
  purvey.call('POST', pathOf(provider.id), { as: 'operator', body, headers });
const scoreOf = async () =>
  (
    await ok(
      purvey.call('GET', `/v1/providers/${provider.id}/eligibility`, {
        as: { provider: provider.key },
      }),
    )
  ).score;
const snapshots = () => storedIn(purvey, 'provider_score_snapshots').length;

beforeAll(async () => {
  purvey = await startTestPurvey();
  agent = await startAgent();
  provider = await registerProvider(purvey, { name: 'Scored', endpoint: agent.url });
});
afterAll(async () => {
  await purvey.close();
  await agent.close();
});

describe('recording a score', () => {
  test('answers the snapshot, with the collateral beside it, and counts at once', async () => {
    const reply = await record({ ...good, note: 'by hand' });
    expect(reply.status).toBe(201);
    expect(reply.body).toEqual({
      snapshot_id: expect.stringMatching(/^snap_/),
      provider_id: provider.id,
      score: 88.5,
      collateral_balance: '0',
      currency: 'IRR',
      source: 'quarterly review',
      note: 'by hand',
      captured_at: new Date(purvey.clock.nowMs()).toISOString(),
    });
    expect(await scoreOf()).toBe(88.5);
  });

  test.each([0, 69.999, 70, 100])('takes %d', async (score) => {
    expect((await record({ ...good, score })).body.score).toBe(score);
    expect(await scoreOf()).toBe(score);
  });

  test('appends: the newest counts, the older ones stay', async () => {
    const before = snapshots();
    await ok(record({ ...good, score: 10 }));
    await purvey.clock.advance(1_000);
    await ok(record({ ...good, score: 20 }));
    expect(snapshots()).toBe(before + 2);
    expect(await scoreOf()).toBe(20);
  });

  test('records once for one Idempotency-Key', async () => {
    const headers = { 'idempotency-key': 'score-1' };
    const first = await ok(record({ ...good, score: 30 }, headers));
    const again = await changesNothing(purvey, () => record({ ...good, score: 30 }, headers));
    expect(again.status).toBe(201);
    expect(again.body).toEqual(first);
  });

  test('is for services too', async () => {
    const as = { service: 'services', of: 'record-score' };
    expect((await purvey.call('POST', pathOf(provider.id), { as, body: good })).status).toBe(201);
  });

  test('is refused to the provider itself', async () => {
    expect(
      await refused(purvey, [
        'POST',
        pathOf(provider.id),
        { as: { provider: provider.key }, body: good },
      ]),
    ).toMatchObject({ code: 'forbidden' });
  });

  test('answers 404 for a provider that there is not', async () => {
    expect(
      await refused(purvey, ['POST', pathOf(absentId('prov')), { as: 'operator', body: good }]),
    ).toMatchObject({ code: 'not_found' });
  });

  refusesBodies(
    () => purvey,
    () => ['POST', pathOf(provider.id), { as: 'operator', body: good }],
    [
      ['no score', { score: undefined }, 'score', 'is required'],
      ['a score below 0', { score: -0.1 }, 'score', 'must be 0 to 100'],
      ['a score above 100', { score: 100.1 }, 'score', 'must be 0 to 100'],
      ['a score in words', { score: '88.5' }, 'score', 'must be a number'],
      ['a score of null', { score: null }, 'score', 'must be a number'],
      ['no source', { source: undefined }, 'source', 'is required'],
      ['a blank source', { source: ' ' }, 'source', /empty/],
      ['a source that is too long', { source: 'x'.repeat(65) }, 'source', /most 64/],
      ['a note that is no text', { note: 5 }, 'note', 'must be a string'],
      ['a note that is too long', { note: 'x'.repeat(2_001) }, 'note', /most 2000/],
      [
        'another provider than the path names',
        { provider_id: 'prov_1' },
        'provider_id',
        /disagrees/,
      ],
    ],
  );

  test('takes a provider_id that agrees with the path', async () => {
    expect((await record({ ...good, provider_id: provider.id })).status).toBe(201);
  });
});
