import { afterAll, beforeAll, describe, expect, test } from 'vitest';

import { type TestPurvey, startAgent, startTestPurvey } from '../../support/purvey.ts';
import {
  absentId,
  changesNothing,
  ok,
  refused,
  refusesBodies,
  registerProvider,
  statusesOf,
  storedIn,
} from '../support.ts';

let purvey: TestPurvey;
let agent: Awaited<ReturnType<typeof startAgent>>;
let provider: { id: string; key: string };

const pathOf = (id: string) => `/internal/v1/providers/${id}/collateral`;
const deposit = { kind: 'deposit', amount: '250000000', currency: 'IRR', reference: 'transfer 1' };
const pathOfNew = async (name: string) =>
  pathOf((await registerProvider(purvey, { name, endpoint: agent.url })).id);
const balanceAfter = async (path: string, patch: object) =>
  (await ok(purvey.call('POST', path, { as: 'operator', body: { ...deposit, ...patch } }))).balance;

beforeAll(async () => {
  purvey = await startTestPurvey();
  agent = await startAgent();
  provider = await registerProvider(purvey, { name: 'Funded', endpoint: agent.url });
});
afterAll(async () => {
  await purvey.close();
  await agent.close();
});

describe('recording collateral', () => {
  test('answers the entry and the balance, which counts at once', async () => {
    const reply = await purvey.call('POST', pathOf(provider.id), { as: 'operator', body: deposit });
    expect(reply.status).toBe(201);
    expect(reply.body).toEqual({
      entry_id: expect.stringMatching(/^col_/),
      balance: '250000000',
      currency: 'IRR',
    });
    const { collateral } = await ok(
      purvey.call('GET', `/v1/providers/${provider.id}/eligibility`, { as: 'operator' }),
    );
    expect(collateral).toEqual({ amount: '250000000', currency: 'IRR' });
  });

  test('adds deposits and releases, takes withdrawals and locks, exactly', async () => {
    const path = await pathOfNew('Exact');
    expect(await balanceAfter(path, { amount: '0.1' })).toBe('0.1');
    expect(await balanceAfter(path, { amount: 0.2 })).toBe('0.3');
    expect(await balanceAfter(path, { amount: '999999999999999999' })).toBe('999999999999999999.3');
    expect(await balanceAfter(path, { kind: 'lock', amount: '999999999999999999.3' })).toBe('0');
    expect(await balanceAfter(path, { kind: 'release', amount: '0.5' })).toBe('0.5');
    expect(await balanceAfter(path, { kind: 'withdrawal', amount: '0.5' })).toBe('0');
  });

  test('keeps one balance for each currency', async () => {
    const path = await pathOfNew('Currencies');
    expect(await balanceAfter(path, { amount: '5' })).toBe('5');
    expect(await balanceAfter(path, { amount: '7', currency: 'USD' })).toBe('7');
    expect(await balanceAfter(path, { kind: 'withdrawal', amount: '5' })).toBe('0');
    expect(
      await refused(purvey, [
        'POST',
        path,
        { as: 'operator', body: { ...deposit, kind: 'withdrawal', amount: '1' } },
      ]),
    ).toMatchObject({ code: 'conflict' });
  });

  test.each([
    ['withdrawal', '100.000000001', 'Only 100 IRR is free'],
    ['lock', '101', 'Only 100 IRR is free'],
    ['release', '50.1', 'Only 50 IRR is locked'],
  ])(
    'refuses a %s of more than there is, and says how much there is',
    async (kind, amount, told) => {
      const path = await pathOfNew(`Short ${kind}`);
      await balanceAfter(path, { amount: '150' });
      await balanceAfter(path, { kind: 'lock', amount: '50' });
      const reply = await refused(purvey, [
        'POST',
        path,
        { as: 'operator', body: { ...deposit, kind, amount } },
      ]);
      expect(reply).toMatchObject({ code: 'conflict' });
      expect(reply.message).toContain(told);
    },
  );

  test('lets only as many of several withdrawals at once through as are covered', async () => {
    const path = await pathOfNew('Contended');
    await balanceAfter(path, { amount: '100' });
    const replies = await Promise.all(
      Array.from({ length: 4 }, () =>
        purvey.call('POST', path, {
          as: 'operator',
          body: { ...deposit, kind: 'withdrawal', amount: '40' },
        }),
      ),
    );
    expect(statusesOf(replies)).toEqual([201, 201, 409, 409]);
    expect(await balanceAfter(path, { amount: '1' })).toBe('21');
  });

  test('counts once for one Idempotency-Key', async () => {
    const path = await pathOfNew('Repeated');
    const call = () =>
      purvey.call('POST', path, {
        as: 'operator',
        body: { ...deposit, amount: '10' },
        headers: { 'idempotency-key': 'deposit-1' },
      });
    const first = await call();
    const again = await changesNothing(purvey, call);
    expect(again.body).toEqual(first.body);
    expect(await balanceAfter(path, { amount: '1' })).toBe('11');
  });

  test('appends a score snapshot beside each entry', async () => {
    const counts = () =>
      ['provider_collateral_entries', 'provider_score_snapshots'].map(
        (collection) => storedIn(purvey, collection).length,
      );
    const before = counts();
    await balanceAfter(pathOf(provider.id), { amount: '1' });
    expect(counts()).toEqual(before.map((count) => count + 1));
  });

  test('is for services, but not for the provider itself', async () => {
    const as = { service: 'services', of: 'record-collateral' };
    const path = pathOf(provider.id);
    expect((await purvey.call('POST', path, { as, body: deposit })).status).toBe(201);
    expect(
      await refused(purvey, ['POST', path, { as: { provider: provider.key }, body: deposit }]),
    ).toMatchObject({ code: 'forbidden' });
  });

  test('answers 404 for a provider that there is not', async () => {
    expect(
      await refused(purvey, ['POST', pathOf(absentId('prov')), { as: 'operator', body: deposit }]),
    ).toMatchObject({ code: 'not_found' });
  });

  refusesBodies(
    () => purvey,
    () => ['POST', pathOf(provider.id), { as: 'operator', body: deposit }],
    [
      ['no kind', { kind: undefined }, 'kind', /required|must be/],
      ['an unknown kind', { kind: 'gift' }, 'kind', /deposit/],
      ['no amount', { amount: undefined }, 'amount', /required|must be a number/],
      ['an amount of 0', { amount: 0 }, 'amount', 'must be greater than 0'],
      ['an amount of -0', { amount: '-0.00' }, 'amount', 'must be greater than 0'],
      ['a negative amount', { amount: '-1' }, 'amount', 'must be greater than 0'],
      ['an amount in words', { amount: 'much' }, 'amount', /decimal/],
      ['an amount with a unit', { amount: '5 IRR' }, 'amount', /decimal/],
      ['an amount with separators', { amount: '1,000' }, 'amount', /decimal/],
      ['an amount in a list', { amount: [5] }, 'amount', /decimal/],
      ['an amount of null', { amount: null }, 'amount', /decimal/],
      ['an amount in hexadecimal', { amount: '0x10' }, 'amount', /decimal/],
      ['too many decimals', { amount: '0.0000000001' }, 'amount', /at most 9 decimals/],
      ['too many digits', { amount: '1000000000000000000' }, 'amount', /at most 18 digits/],
      ['a number that JSON has rounded', { amount: 123456789.12345679 }, 'amount', /as a string/],
      ['no currency', { currency: undefined }, 'currency', 'is required'],
      ['a currency in small letters', { currency: 'irr' }, 'currency', /three capital letters/],
      ['a currency in words', { currency: 'toman' }, 'currency', /three capital letters/],
      ['no reference', { reference: undefined }, 'reference', 'is required'],
      ['a blank reference', { reference: ' ' }, 'reference', /empty/],
      ['a reference that is too long', { reference: 'x'.repeat(257) }, 'reference', /most 256/],
      [
        'another provider than the path names',
        { provider_id: 'prov_1' },
        'provider_id',
        /disagrees/,
      ],
    ],
  );
});
