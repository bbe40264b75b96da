import { describe, expect, it } from 'vitest';

import {
  AttemptRow,
  ExecutionMetrics,
  type NewAttempt,
  PACK_SPAN_MS,
  matchesFilter,
  packOf,
  packable,
  singleOf,
} from '../../../shared/execution/metrics.ts';

const atMs = Date.UTC(2026, 2, 1, 12);
const iso = (ms: number): string => new Date(atMs + ms).toISOString();

const anAttempt = (changes: Partial<NewAttempt> = {}): NewAttempt => ({
  tenant_id: 'acme',
  task_execution_id: null,
  provider_name: 'openai',
  capability: 'usage_extract',
  operation: 'list_costs',
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
  created_at: iso(0),
  ...changes,
});

const placing = { id: 'pem_1', retentionDays: 30 };
const anyOutcome = ['success', 'retry', 'failed', 'dead_letter'] as const;

describe('an attempt', () => {
  it('has the columns of the specification, and no other', () => {
    expect(Object.keys(AttemptRow.shape)).toEqual([
      'id',
      'tenant_id',
      'task_execution_id',
      'provider_name',
      'capability',
      'operation',
      'idempotency_key',
      'correlation_id',
      'attempt_number',
      'max_attempts',
      'duration_ms',
      'timeout_budget_ms',
      'outcome',
      'reason_code',
      'retryable',
      'http_status',
      'created_at',
    ]);
  });

  it.each(anyOutcome)('is a document by itself, whatever came of it: %s', (outcome) => {
    const row = anAttempt({ outcome });
    const doc = singleOf(row, placing);
    expect(ExecutionMetrics.parse(doc)).toEqual({
      id: 'pem_1',
      tenant_id: 'acme',
      capability: 'usage_extract',
      provider_names: ['openai'],
      correlation_ids: ['run_1'],
      outcome,
      rows: [row],
      created_at: iso(0),
      expire_at: new Date(atMs + 30 * 86_400_000),
    });
  });
});

describe('a pack', () => {
  it('holds successes oldest first, and can be found by all that they are about', () => {
    const doc = packOf(
      [
        anAttempt({ created_at: iso(5), correlation_id: 'run_2' }),
        anAttempt({ created_at: iso(1) }),
        anAttempt({ created_at: iso(9), provider_name: 'slack', correlation_id: 'run_2' }),
      ],
      placing,
    );
    expect(ExecutionMetrics.parse(doc)).toEqual(doc);
    expect(doc).toMatchObject({
      outcome: 'success',
      provider_names: ['openai', 'slack'],
      correlation_ids: ['run_1', 'run_2'],
      rows: [{ created_at: iso(1) }, { created_at: iso(5) }, { created_at: iso(9) }],
      created_at: iso(9),
      expire_at: new Date(atMs + 9 + 30 * 86_400_000),
    });
  });

  it('of one moment keeps the order in which the attempts ended', () => {
    const rows = ['a', 'b', 'c'].map((operation) => anAttempt({ operation }));
    expect(packOf(rows, placing).rows.map(({ operation }) => operation)).toEqual(['a', 'b', 'c']);
  });

  const full = Array.from({ length: 100 }, () => anAttempt());
  it('holds 100 at most', () => {
    expect(packOf(full, placing).rows).toHaveLength(100);
    expect(() => packOf([...full, anAttempt()], placing)).toThrow(RangeError);
    expect(() => packOf([], placing)).toThrow(RangeError);
  });

  it.each([
    ['tenant', { tenant_id: 'other' }],
    ['capability', { capability: 'object_extract' }],
    ['outcome', { outcome: 'failed' }],
  ] as const)('never mixes: %s', (_what, changes) => {
    expect(() => packOf([anAttempt(changes), anAttempt()], placing)).toThrow(RangeError);
    expect(() => packOf([anAttempt({ outcome: 'failed' })], placing)).toThrow(RangeError);
  });
});

describe('cutting rows into packs', () => {
  const rowsAt = (...ms: number[]) => ms.map((after) => anAttempt({ created_at: iso(after) }));
  const sizes = (rows: NewAttempt[], rowsMax = 100) =>
    packable(rows, rowsMax).map(({ length }) => length);

  it('fills one after another, and keeps their order', () => {
    const rows = rowsAt(0, 1, 2, 3, 4);
    expect(sizes(rows, 2)).toEqual([2, 2, 1]);
    expect(packable(rows, 2).flat()).toEqual(rows);
    expect(sizes([])).toEqual([]);
  });

  it('begins another where one would span more than an hour', () => {
    expect(sizes(rowsAt(0, PACK_SPAN_MS))).toEqual([2]);
    expect(sizes(rowsAt(0, 1, PACK_SPAN_MS + 1, PACK_SPAN_MS + 2))).toEqual([2, 2]);
  });
});

describe('a filter', () => {
  const row: AttemptRow = { id: 'pem_1_0', ...anAttempt() };

  it.each([
    ['nothing', {}, true],
    ['its provider', { provider_name: 'openai' }, true],
    ['another provider', { provider_name: 'slack' }, false],
    ['its capability', { capability: 'usage_extract' }, true],
    ['another capability', { capability: 'x' }, false],
    ['its outcome', { outcome: 'success' }, true],
    ['another outcome', { outcome: 'retry' }, false],
    ['its correlation id', { correlation_id: 'run_1' }, true],
    ['another correlation id', { correlation_id: 'run_2' }, false],
    ['from its time', { from: iso(0) }, true],
    ['from later', { from: iso(1) }, false],
    ['to its time, which is excluded', { to: iso(0) }, false],
    ['to a moment later', { to: iso(1) }, true],
    ['one thing right, another wrong', { provider_name: 'openai', to: iso(0) }, false],
    ['to a time after the year 9999', { to: '+010000-01-01T00:00:00.000Z' }, true],
  ] as const)('for %s', (_what, filter, isMatch) => {
    expect(matchesFilter(row, filter)).toBe(isMatch);
  });
});
