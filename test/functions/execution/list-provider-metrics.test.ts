import { afterAll, beforeAll, describe, expect, test } from 'vitest';

import {
  type ExecutionMetrics,
  type NewAttempt,
  executionMetrics,
  packOf,
  singleOf,
} from '../../../shared/execution/metrics.ts';
import { ref } from '../../../shared/store/collection.ts';
import { remove, set } from '../../../shared/store/decision.ts';
import { type TestPurvey, startTestPurvey } from '../../support/purvey.ts';
import {
  badPages,
  changesNothing,
  expectNothingLeaked,
  isoAfter,
  ok,
  pagedThrough,
  refused,
  refusesQueries,
} from '../support.ts';

const path = '/api/v1/provider-metrics';
const HOUR = 3_600_000;

interface Attempt {
  readonly id: string;
  readonly operation: string;
}

let purvey: TestPurvey;
let key: string;
let otherKey: string;

async function newOrg(slug: string): Promise<string> {
  await ok(
    purvey.call('POST', '/api/v1/orgs', { as: 'operator', body: { org_slug: slug, name: slug } }),
  );
  const { api_key } = await ok(
    purvey.call('POST', `/api/v1/orgs/${slug}/keys`, {
      as: 'operator',
      body: { name: 'healthy', scopes: ['health:read'] },
    }),
  );
  return api_key;
}

/** Its operation names it in what is expected. */
const anAttempt = (
  operation: string,
  ageMs: number,
  changes: Partial<NewAttempt> = {},
): NewAttempt => ({
  tenant_id: 'acme',
  task_execution_id: null,
  provider_name: 'openai',
  capability: 'usage_extract',
  operation,
  idempotency_key: 'k1',
  correlation_id: 'run_1',
  attempt_number: 1,
  max_attempts: 3,
  duration_ms: 210,
  timeout_budget_ms: 30_000,
  outcome: 'success',
  reason_code: null,
  retryable: false,
  http_status: 200,
  created_at: isoAfter(purvey, -ageMs),
  ...changes,
});

const failure = { outcome: 'retry', reason_code: 'timeout', retryable: true } as const;

let stored = 0;
/** Ids descend, so that of documents of one millisecond the one stored first comes first. */
const placing = () => ({
  id: `pem_${(0xffff_ffff - stored++).toString(16)}`,
  retentionDays: 30,
});
const pack = (...rows: NewAttempt[]) => packOf(rows, placing());
const single = (row: NewAttempt) => singleOf(row, placing());

const store = async (docs: readonly ExecutionMetrics[]): Promise<void> => {
  for (let from = 0; from < docs.length; from += 200)
    await purvey.services.store.write(
      docs.slice(from, from + 200).map((doc) => set(ref(executionMetrics, doc.id), doc)),
    );
};

const list = (query: string, as: 'operator' | { org: string } = 'operator') =>
  ok(purvey.call('GET', `${path}?${query}`, { as }));
const operations = (attempts: unknown[]) =>
  (attempts as Attempt[]).map(({ operation }) => operation);
const listed = async (query: string) =>
  operations((await list(`tenant_id=acme&${query}`)).attempts);

/** Newest first. */
const ALL = ['i', 'h', 'g', 'f', 'e', 'd', 'c', 'b', 'a'];

beforeAll(async () => {
  purvey = await startTestPurvey();
  key = await newOrg('acme');
  otherKey = await newOrg('other');
  await store([
    single(anAttempt('i', 0, { ...failure, correlation_id: 'run_2' })),
    // Two packs of one millisecond, and a failure within their time.
    pack(
      anAttempt('f', 3_000, { correlation_id: 'run_2' }),
      anAttempt('g', 2_000, { provider_name: 'slack' }),
      anAttempt('h', 1_000, { provider_name: 'slack', correlation_id: 'run_2' }),
    ),
    pack(anAttempt('d', 5_000), anAttempt('e', 1_000, { provider_name: 'slack' })),
    single(anAttempt('c', 10_000, { ...failure, capability: 'object_extract' })),
    pack(
      anAttempt('a', 2 * HOUR, { capability: 'object_extract' }),
      anAttempt('b', HOUR, { capability: 'object_extract' }),
    ),
    pack(anAttempt('theirs', 0, { tenant_id: 'other' })),
  ]);
});
afterAll(() => purvey.close());

describe('listing attempts', () => {
  test('shows every attempt of a tenant, newest document first and newest attempt first in it', async () => {
    const reply = await purvey.call('GET', `${path}?tenant_id=acme`, { as: 'operator' });
    expect(reply.status).toBe(200);
    expect(operations(reply.body.attempts)).toEqual(ALL);
    expect(reply.body.next_cursor).toBeNull();
    expect(reply.body.attempts[0]).toEqual({
      id: expect.stringMatching(/^pem_[0-9a-f]+_0$/),
      ...anAttempt('i', 0, { ...failure, correlation_id: 'run_2' }),
    });
    expect(new Set(reply.body.attempts.map(({ id }: Attempt) => id)).size).toBe(ALL.length);
    expectNothingLeaked(purvey, reply);
  });

  test('shows an organisation its own, named or not', async () => {
    expect(operations((await list('', { org: key })).attempts)).toEqual(ALL);
    expect(operations((await list('tenant_id=acme', { org: key })).attempts)).toEqual(ALL);
    expect(operations((await list('', { org: otherKey })).attempts)).toEqual(['theirs']);
  });

  test("shows an organisation nothing of another's, as where nothing is", async () => {
    for (const tenant of ['acme', 'nobody', 'platform', '%2A'])
      expect(await list(`tenant_id=${tenant}`, { org: otherKey })).toEqual({
        attempts: [],
        next_cursor: null,
      });
  });

  test('asks the operator which tenant', async () => {
    expect(await refused(purvey, ['GET', path, { as: 'operator' }])).toMatchObject({
      code: 'invalid_request',
      details: [{ field: 'query.tenant_id', reason: 'is required' }],
    });
  });

  test.each([
    ['provider_name=openai', ['i', 'f', 'd', 'c', 'b', 'a']],
    ['provider_name=slack', ['h', 'g', 'e']],
    ['capability=object_extract', ['c', 'b', 'a']],
    ['outcome=retry', ['i', 'c']],
    ['outcome=success', ['h', 'g', 'f', 'e', 'd', 'b', 'a']],
    ['correlation_id=run_2', ['i', 'h', 'f']],
    ['provider_name=openai&outcome=retry', ['i', 'c']],
    ['provider_name=openai&capability=object_extract', ['c', 'b', 'a']],
    ['provider_name=openai&capability=object_extract&outcome=success', ['b', 'a']],
    ['capability=object_extract&outcome=retry', ['c']],
    ['correlation_id=run_2&provider_name=slack', ['h']],
    ['correlation_id=run_2&outcome=success&capability=usage_extract', ['h', 'f']],
    ['correlation_id=nothing', []],
    ['provider_name=nobody', []],
    ['outcome=dead_letter', []],
  ])('by %s', async (query, expected) => {
    expect(await listed(query)).toEqual(expected);
    // The indexes are there for a time, too.
    expect(await listed(`${query}&from=2000-01-01T00:00:00Z&to=9999-12-31T23:59:59Z`)).toEqual(
      expected,
    );
  });

  test('by time: from is included, to is not, inside a pack too', async () => {
    const between = (fromAgeMs: number, toAgeMs: number) =>
      listed(`from=${isoAfter(purvey, -fromAgeMs)}&to=${isoAfter(purvey, -toAgeMs)}`);
    expect(await between(3_000, 1_000)).toEqual(['g', 'f']);
    expect(await between(10_000, 5_000)).toEqual(['c']);
    // Its pack has the time of `b`, an hour later.
    expect(await between(2 * HOUR, 2 * HOUR - 1)).toEqual(['a']);
    expect(await between(500, 500)).toEqual([]);
  });

  test('a time after the last year that can be written is as good as none', async () => {
    expect(await listed('to=9999-12-31T23:59:59-05:00')).toEqual(ALL);
    expect(await listed('from=9999-12-31T23:59:59-05:00')).toEqual([]);
  });

  test('pages through them in order, each once, whatever the filter', async () => {
    for (const [query, expected] of [
      ['', ALL],
      ['&provider_name=slack', ['h', 'g', 'e']],
      ['&outcome=retry', ['i', 'c']],
    ] as const)
      expect(
        operations(
          await pagedThrough(
            purvey,
            ['GET', `${path}?tenant_id=acme${query}`, { as: 'operator' }],
            'attempts',
          ),
        ),
      ).toEqual(expected);
  });

  test.each([1, 2, 3, 4, 5, 8, 9, 10])('cuts pages at exactly %i', async (limit) => {
    const pages: string[][] = [];
    let cursor: string | null = null;
    do {
      const page: { attempts: unknown[]; next_cursor: string | null } = await list(
        `tenant_id=acme&limit=${limit}${cursor === null ? '' : `&cursor=${cursor}`}`,
      );
      pages.push(operations(page.attempts));
      cursor = page.next_cursor;
    } while (cursor !== null);
    expect(pages.flat()).toEqual(ALL);
    expect(pages.slice(0, -1).filter((page) => page.length !== limit)).toEqual([]);
    expect(pages.at(-1)).not.toEqual([]);
  });

  test('goes on where it was when attempts are added before, or the document it stood in is gone', async () => {
    const at = (operation: string, ageMs: number) =>
      anAttempt(operation, ageMs, { tenant_id: 'busy' });
    const first = pack(at('p', 500), at('q', 400), at('r', 300));
    const second = pack(at('m', 800), at('n', 700), at('o', 600));
    await store([first, second]);
    const page = await list('tenant_id=busy&limit=2');
    expect(operations(page.attempts)).toEqual(['r', 'q']);
    await store([pack(at('s', 100)), pack(at('late', 300))]);
    const next = await list(`tenant_id=busy&limit=2&cursor=${page.next_cursor}`);
    // Of the same time as the place, but after it in order.
    expect(operations(next.attempts)).toEqual(['p', 'late']);
    await purvey.services.store.write([remove(ref(executionMetrics, first.id))]);
    const rest = await list(`tenant_id=busy&limit=9&cursor=${page.next_cursor}`);
    expect(operations(rest.attempts)).toEqual(['late', 'o', 'n', 'm']);
  });

  test('reads packs, not attempts, and writes nothing', async () => {
    const rows = Array.from({ length: 100 }, (_, i) =>
      anAttempt(`${i}`, 100 - i, { tenant_id: 'packed' }),
    );
    await store([pack(...rows), pack(...rows), pack(...rows)]);
    const { result, usage } = await purvey.cloud.meter.measure(() =>
      changesNothing(purvey, () => list('tenant_id=packed&limit=100')),
    );
    expect(result.attempts).toHaveLength(100);
    expect(usage).toMatchObject({ reads: 3, writes: 0 });
  });

  test('searches 500 documents at most, says where to go on, and finds what is behind them', async () => {
    const of = { tenant_id: 'searched' };
    await store([
      ...Array.from({ length: 520 }, () => pack(anAttempt('x', 0, { ...of, capability: 'c' }))),
      pack(anAttempt('needle', HOUR, { ...of, idempotency_key: 'n' })),
    ]);
    // Their documents are within reach of `to`, but none of their rows is.
    const query = `tenant_id=searched&to=${isoAfter(purvey, -1)}`;
    const { result: page, usage } = await purvey.cloud.meter.measure(() => list(query));
    expect(page.attempts).toEqual([]);
    expect(usage).toMatchObject({ reads: 500 });
    const next = await list(`${query}&cursor=${page.next_cursor}`);
    expect(operations(next.attempts)).toEqual(['needle']);
    expect(next.next_cursor).toBeNull();
  });

  const cursor = (...values: unknown[]) =>
    Buffer.from(JSON.stringify(values)).toString('base64url');
  refusesQueries(
    () => purvey,
    () => ['GET', `${path}?tenant_id=acme`, { as: 'operator' }],
    [
      ...badPages,
      [`cursor=${cursor('2026', -1, 'pem_1')}`, 'cursor', /is not a cursor/],
      [`cursor=${cursor('2026', 0.5, 'pem_1')}`, 'cursor', /is not a cursor/],
      [`cursor=${cursor(5, 1, 'pem_1')}`, 'cursor', /is not a cursor/],
      ['outcome=cancelled', 'outcome', /success, retry, failed or dead_letter/],
      ['provider_name=', 'provider_name', /empty/],
      [`correlation_id=${'x'.repeat(257)}`, 'correlation_id', /most 256/],
      ['from=yesterday', 'from', /ISO 8601/],
      ['to=2026-01-15', 'to', /ISO 8601/],
    ],
  );
});
