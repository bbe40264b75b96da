import { afterAll, beforeAll, describe, expect, test } from 'vitest';

import { sha256Hex } from '../../../shared/canonical-json.ts';
import { idempotencyRecords } from '../../../shared/idempotency/record.ts';
import { scopedKey } from '../../../shared/runtime/idempotency.ts';
import { ref } from '../../../shared/store/collection.ts';
import {
  type TestPurvey,
  readyBuyer,
  readyProvider,
  rfqBody,
  startAgent,
  startTestPurvey,
} from '../../support/purvey.ts';
import {
  changeStored,
  changesNothing,
  isoAfter,
  ok,
  refused,
  refusesBodies,
  registerProvider,
  storedIn,
} from '../support.ts';

const path = '/v1/rfqs';
const DAY_MS = 86_400_000;

let purvey: TestPurvey;
let agent: Awaited<ReturnType<typeof startAgent>>;
let buyer: { slug: string; key: string };

const create = (given: Record<string, unknown> = {}, headers: Record<string, string> = {}) =>
  purvey.call('POST', path, { as: { org: buyer.key }, body: rfqBody(purvey, given), headers });

beforeAll(async () => {
  purvey = await startTestPurvey();
  agent = await startAgent();
  buyer = await readyBuyer(purvey);
});
afterAll(async () => {
  await purvey.settle();
  await purvey.close();
  await agent.close();
});

describe('creating an RFQ', () => {
  test('answers all of it, OPEN, with what was left out filled in', async () => {
    const reply = await create();
    const now = new Date(purvey.clock.nowMs()).toISOString();
    expect(reply.status).toBe(201);
    expect(reply.body).toEqual({
      rfq_id: expect.stringMatching(/^rfq_[0-9a-f]{16}$/),
      org_slug: buyer.slug,
      status: 'OPEN',
      category: 'travel.booking',
      description: 'Three nights in Lisbon for two',
      budget: { max_price: '500', currency: 'USD' },
      bid_deadline: isoAfter(purvey, 3_600_000),
      region: null,
      max_latency_ms: null,
      quantity: null,
      min_fill: null,
      min_trust_tier: null,
      specific_providers: [],
      split_allowed: false,
      success_criteria: [],
      cpa_terms: null,
      counts: { matched: 0, eligible: 0, delivered: 0, failed: 0, pending: 0 },
      created_at: now,
      updated_at: now,
    });
  });

  test('takes terms: criteria, bonuses as numbers or strings, and their sum as the highest', async () => {
    const { body } = await create({
      region: ' EU ',
      bid_deadline: new Date(purvey.clock.nowMs() + DAY_MS).toISOString().replace('Z', '+00:00'),
      quantity: '10',
      min_fill: 2.5,
      min_trust_tier: 'TRUSTED',
      success_criteria: [
        { metric: 'latency_ms', comparison: 'lte', threshold: 3000, bonus: 0.1, penalty: '1' },
        { metric: 'accuracy', comparison: 'in_range', threshold: [0.9, 1], bonus: '0.2' },
      ],
      cpa_terms: {},
    });
    expect(body).toMatchObject({
      region: 'eu',
      bid_deadline: isoAfter(purvey, DAY_MS),
      quantity: '10',
      min_fill: '2.5',
      success_criteria: [
        { metric: 'latency_ms', bonus: 0.1, penalty: 1, required: true },
        { metric: 'accuracy', bonus: 0.2, penalty: 0, threshold: [0.9, 1] },
      ],
      cpa_terms: {
        verification_method: 'automated',
        dispute_window_hours: 24,
        max_penalty_rate: 0.2,
        max_bonus: 0.3,
      },
    });
  });

  test('opens one RFQ for one Idempotency-Key, and tells of it once', async () => {
    await readyProvider(purvey, agent.url, { categories: ['idempotent.*'] });
    const headers = { 'idempotency-key': 'rfq-1' };
    const first = await create({ category: 'idempotent.work' }, headers);
    await purvey.settle();
    const again = await changesNothing(purvey, () =>
      create({ category: 'idempotent.work' }, headers),
    );
    expect([again.status, again.body]).toEqual([201, first.body]);
    expect(agent.received).toHaveLength(1);
    expect(
      await refused(purvey, [
        'POST',
        path,
        { as: { org: buyer.key }, body: rfqBody(purvey, { category: 'b' }), headers },
      ]),
    ).toMatchObject({ code: 'idempotency_mismatch' });
  });

  test('tells a second request with a running key to wait', async () => {
    const headers = { 'idempotency-key': 'rfq-2' };
    const call = [
      'POST',
      path,
      { as: { org: buyer.key }, body: rfqBody(purvey), headers },
    ] as const;
    const { rfq_id } = await ok(purvey.call(...call));
    const caller = { kind: 'org', orgSlug: buyer.slug, keyId: '', scopes: [] } as const;
    const record = sha256Hex(scopedKey(caller, 'create-rfq', 'rfq-2'));
    // As if the first request were still being answered by another instance.
    await changeStored(purvey, ref(idempotencyRecords, record), () => ({
      state: 'running' as const,
      lease_until: isoAfter(purvey, 60_000),
    }));
    const error = await refused(purvey, call);
    expect(error.code).toBe('request_in_progress');
    expect(error.headers.get('retry-after')).toBe('60');
    await purvey.clock.advance(60_000);
    // It never answered: the next one takes over, and finds what it had done.
    expect(await ok(purvey.call(...call))).toMatchObject({ rfq_id });
  });

  test('keeps the keys of two buyers apart', async () => {
    const other = await readyBuyer(purvey, 'other_buyer');
    const headers = { 'idempotency-key': 'rfq-3' };
    const mine = await ok(create({}, headers));
    const theirs = await ok(
      purvey.call('POST', path, { as: { org: other.key }, body: rfqBody(purvey), headers }),
    );
    expect(theirs.rfq_id).not.toBe(mine.rfq_id);
    expect(theirs.org_slug).toBe('other_buyer');
  });

  test('is for the operator on behalf of an organisation that there is', async () => {
    const asOperator = (given: Record<string, unknown>) =>
      ['POST', path, { as: 'operator', body: rfqBody(purvey, given) }] as const;
    const reply = await purvey.call(...asOperator({ org_slug: buyer.slug }));
    expect([reply.status, reply.body.org_slug]).toEqual([201, buyer.slug]);
    for (const org_slug of [undefined, 'no_such_org', 'Bad Slug'])
      expect(await refused(purvey, [...asOperator({ org_slug })])).toMatchObject({
        code: 'invalid_request',
        details: [{ field: 'body.org_slug' }],
      });
  });

  test('is refused to a provider, and to a key that may only read', async () => {
    const { key } = await registerProvider(purvey, { name: 'Bidder', endpoint: agent.url });
    expect(
      await refused(purvey, ['POST', path, { as: { provider: key }, body: rfqBody(purvey) }]),
    ).toMatchObject({ code: 'forbidden' });
    const { api_key } = await ok(
      purvey.call('POST', `/api/v1/orgs/${buyer.slug}/keys`, {
        as: 'operator',
        body: { name: 'reading', scopes: ['rfqs:read'] },
      }),
    );
    const reply = await refused(purvey, [
      'POST',
      path,
      { as: { org: api_key }, body: rfqBody(purvey) },
    ]);
    expect(reply).toMatchObject({ code: 'forbidden' });
    expect(reply.details).toEqual({ required_scopes: ['rfqs:write'] });
  });

  test.each([
    ['in the past', -1, 'must be in the future'],
    ['just now', 0, 'must be in the future'],
    ['more than 90 days ahead', 90 * DAY_MS + 1, 'must be within 90 days'],
  ])('refuses a deadline %s', async (_, ms, reason) => {
    const body = rfqBody(purvey, { bid_deadline: isoAfter(purvey, ms) });
    expect(await refused(purvey, ['POST', path, { as: { org: buyer.key }, body }])).toMatchObject({
      code: 'invalid_request',
      details: [{ field: 'body.bid_deadline', reason: reason }],
    });
  });

  const budget = (given: object) => ({
    budget: { max_price: '500', currency: 'USD', ...given },
  });
  const criterion = (given: object) => ({
    success_criteria: [{ metric: 'accuracy', threshold: 0.9, ...given }],
  });
  refusesBodies(
    () => purvey,
    () => ['POST', path, { as: { org: buyer.key }, body: rfqBody(purvey) }],
    [
      ['no category', { category: undefined }, 'category', 'is required'],
      ['a category that is no text', { category: ['travel'] }, 'category', /string/],
      ['an empty category', { category: '' }, 'category', /empty/],
      [
        'a pattern for a category',
        { category: 'travel.*' },
        'category',
        /must not hold white space or/,
      ],
      [
        'a category with white space',
        { category: 'a b' },
        'category',
        /must not hold white space or/,
      ],
      ['a category with a class', { category: 'a[b]' }, 'category', /must not hold white space or/],
      [
        'a category with a backslash',
        { category: 'a\\b' },
        'category',
        /must not hold white space or/,
      ],
      [
        'too deep a category',
        { category: 'a.'.repeat(28) + 'a' },
        'category',
        /at most 28 segments/,
      ],
      ['too long a category', { category: 'x'.repeat(201) }, 'category', /most 200/],
      ['no description', { description: undefined }, 'description', 'is required'],
      ['a blank description', { description: ' ' }, 'description', /blank|empty/],
      ['too long a description', { description: 'x'.repeat(5_001) }, 'description', /most 5000/],
      ['no budget', { budget: undefined }, 'budget', 'is required'],
      ['a budget that is no object', { budget: 500 }, 'budget', /object/],
      [
        'no price',
        budget({ max_price: undefined }),
        'budget.max_price',
        /required|must be a number/,
      ],
      [
        'a negative price',
        budget({ max_price: -500 }),
        'budget.max_price',
        'must be greater than 0',
      ],
      ['a price of 0', budget({ max_price: 0 }), 'budget.max_price', 'must be greater than 0'],
      ['a price in words', budget({ max_price: 'low' }), 'budget.max_price', /decimal/],
      ['a price of true', budget({ max_price: true }), 'budget.max_price', /decimal/],
      ['no currency', budget({ currency: undefined }), 'budget.currency', 'is required'],
      ['a currency sign', budget({ currency: '$' }), 'budget.currency', /three capital letters/],
      ['no deadline', { bid_deadline: undefined }, 'bid_deadline', 'is required'],
      [
        'a deadline as a number',
        { bid_deadline: 1_800_000_000 },
        'bid_deadline',
        'must be a string',
      ],
      ['a deadline in words', { bid_deadline: 'tomorrow' }, 'bid_deadline', /ISO 8601/],
      [
        'a deadline without an offset',
        { bid_deadline: '2026-01-16T10:00:00' },
        'bid_deadline',
        /offset/,
      ],
      [
        'a deadline on no such day',
        { bid_deadline: '2026-02-29T10:00:00Z' },
        'bid_deadline',
        /ISO 8601/,
      ],
      ['a blank region', { region: ' ' }, 'region', /empty/],
      ['a latency of 0', { max_latency_ms: 0 }, 'max_latency_ms', /./],
      ['a latency with a fraction', { max_latency_ms: 1.5 }, 'max_latency_ms', /whole number/],
      ['a negative quantity', { quantity: -1 }, 'quantity', 'must be greater than 0'],
      ['a min_fill without a quantity', { min_fill: 1 }, 'min_fill', /come with a quantity/],
      ['a min_fill above the quantity', { quantity: 9, min_fill: 10 }, 'min_fill', /not exceed/],
      ['an unknown tier', { min_trust_tier: 'KING' }, 'min_trust_tier', /UNVERIFIED/],
      [
        'providers that are no ids',
        { specific_providers: ['a/b'] },
        'specific_providers.0',
        /an id/,
      ],
      [
        'more than 100 providers',
        { specific_providers: Array.from({ length: 101 }, (_, i) => `prov_${i}`) },
        'specific_providers',
        /most 100/,
      ],
      ['split_allowed in words', { split_allowed: 'yes' }, 'split_allowed', /boolean/],
      [
        'a criterion without a metric',
        criterion({ metric: undefined }),
        'success_criteria.0.metric',
        'is required',
      ],
      [
        'a negative bonus',
        criterion({ bonus: -1 }),
        'success_criteria.0.bonus',
        'must not be negative',
      ],
      [
        'a negative penalty',
        criterion({ penalty: '-0.1' }),
        'success_criteria.0.penalty',
        'must not be negative',
      ],
      [
        'a range that is none',
        criterion({ comparison: 'in_range' }),
        'success_criteria.0',
        /in_range takes/,
      ],
      [
        'an unknown comparison',
        criterion({ comparison: 'like' }),
        'success_criteria.0.comparison',
        /gte/,
      ],
      [
        'more than ten criteria',
        { success_criteria: Array(11).fill({ metric: 'm', threshold: 1 }) },
        'success_criteria',
        /most 10/,
      ],
      [
        'a penalty rate above 0.5',
        { cpa_terms: { max_penalty_rate: 0.51 } },
        'cpa_terms.max_penalty_rate',
        /0\.5/,
      ],
      [
        'a negative penalty rate',
        { cpa_terms: { max_penalty_rate: -0.1 } },
        'cpa_terms.max_penalty_rate',
        /negative/,
      ],
      [
        'a negative highest bonus',
        { cpa_terms: { max_bonus: '-1' } },
        'cpa_terms.max_bonus',
        'must not be negative',
      ],
      [
        'another organisation',
        { org_slug: 'other_buyer' },
        'org_slug',
        /not this key's organisation/,
      ],
    ],
  );

  test('names all wrong fields at once, and leaves no RFQ behind', async () => {
    const rfqs = () => storedIn(purvey, 'rfqs').length;
    const before = rfqs();
    const reply = await refused(purvey, [
      'POST',
      path,
      {
        as: { org: buyer.key },
        body: { category: '*', budget: { max_price: -1, currency: 'x' } },
      },
    ]);
    expect(reply).toMatchObject({ code: 'invalid_request' });
    expect(reply.details.map(({ field }: { field: string }) => field)).toEqual([
      'body.category',
      'body.description',
      'body.budget.max_price',
      'body.budget.currency',
      'body.bid_deadline',
    ]);
    expect(reply.message).toMatch(/^body\.category: .* \(and 4 more, see details\)$/);
    expect(rfqs()).toBe(before);
  });
});
