import { afterAll, beforeAll, describe, expect, test } from 'vitest';

import { type TestPurvey, startTestPurvey } from '../../support/purvey.ts';
import { settleInTime } from '../../support/settle-in-time.ts';
import {
  changesNothing,
  expectNothingLeaked,
  isoAfter,
  ok,
  refused,
  refusesBodies,
  storedIn,
} from '../support.ts';

const PATH = '/internal/v1/provider-tasks';
const good = {
  tenant_id: 'acme',
  provider_name: 'synthetic',
  capability: 'synthetic_call',
  operation: 'echo',
  payload: { mode: 'succeed', echo: 'hello' },
};

let purvey: TestPurvey;
let keys = 0;
const newKey = () => `job-${++keys}`;
const start = (given: Record<string, unknown> = {}, headers: Record<string, string> = {}) =>
  purvey.call('POST', PATH, { as: 'operator', body: { ...good, ...given }, headers });

beforeAll(async () => {
  purvey = await startTestPurvey();
});
afterAll(() => purvey.close());

describe('starting a provider task', () => {
  test('answers at once what was started, and has it done', async () => {
    const idempotency_key = newKey();
    const given = { idempotency_key, campaign_id: 'rfq_1', correlation_id: 'corr-1' };
    const reply = await start(given);
    expect(reply.status).toBe(202);
    const now = isoAfter(purvey, 0);
    expect(reply.body).toEqual({
      task_execution_id: expect.stringMatching(/^tex_[0-9a-f]{32}$/),
      state: 'WAITING',
      tenant_id: 'acme',
      campaign_id: 'rfq_1',
      task_name: 'run-provider-task',
      provider_name: 'synthetic',
      capability: 'synthetic_call',
      operation: 'echo',
      idempotency_key,
      correlation_id: 'corr-1',
      attempts: 0,
      result: null,
      last_failure: null,
      next_attempt_at: now,
      dead_letter_id: null,
      created_at: now,
      updated_at: now,
    });
    expectNothingLeaked(purvey, reply);
    await settleInTime(purvey);
    expect((await start(given)).body).toMatchObject({
      state: 'SUCCEEDED',
      attempts: 1,
      result: { echo: 'hello', attempt: 1 },
      next_attempt_at: null,
    });
  });

  test('needs no key: an equal call is the same task, another is not', async () => {
    const payload = { mode: 'succeed', echo: newKey() };
    const first = await ok(start({ payload }));
    expect(first).toMatchObject({
      idempotency_key: expect.stringMatching(/^sha256:[0-9a-f]{64}$/),
      correlation_id: first.task_execution_id,
    });
    await settleInTime(purvey);
    const same = await changesNothing(purvey, () =>
      start({ payload: { echo: payload.echo, mode: 'succeed' } }),
    );
    expect(same.body.task_execution_id).toBe(first.task_execution_id);
    for (const other of [{ operation: 'other' }, { tenant_id: 'other' }])
      expect((await ok(start({ payload, ...other }))).task_execution_id).not.toBe(
        first.task_execution_id,
      );
    await settleInTime(purvey);
  });

  test('repeated while nothing has run yet starts nothing more', async () => {
    const idempotency_key = newKey();
    const replies = await Promise.all([1, 2, 3].map(() => start({ idempotency_key })));
    expect(new Set(replies.map(({ body }) => body.task_execution_id)).size).toBe(1);
    await settleInTime(purvey);
    const [first] = replies;
    expect(storedIn(purvey, 'task_executions')).toContain(
      `task_executions/${first?.body.task_execution_id}`,
    );
    expect((await ok(start({ idempotency_key }))).attempts).toBe(1);
  });

  test('answers again for the same Idempotency-Key', async () => {
    const idempotency_key = newKey();
    const headers = { 'idempotency-key': newKey() };
    const first = await ok(start({ idempotency_key }, headers));
    await settleInTime(purvey);
    expect(await ok(start({ idempotency_key }, headers))).toEqual(first);
  });

  test.each([
    ['another payload', { payload: { mode: 'hang' } }],
    ['another operation', { operation: 'other' }],
  ])('case 50: with a key that was used for %s is refused', async (_, given) => {
    const idempotency_key = newKey();
    await ok(start({ idempotency_key }));
    await settleInTime(purvey);
    const body = { ...good, idempotency_key, ...given };
    expect(await refused(purvey, ['POST', PATH, { as: 'operator', body }])).toMatchObject({
      code: 'idempotency_mismatch',
      message: expect.stringContaining('use a new key'),
    });
  });

  test('keeps tenants apart that use the same key', async () => {
    const idempotency_key = newKey();
    const ours = await ok(start({ idempotency_key }));
    const theirs = await ok(start({ idempotency_key, tenant_id: 'other', operation: 'other' }));
    expect(theirs.task_execution_id).not.toBe(ours.task_execution_id);
    await settleInTime(purvey);
  });

  test('is for services too', async () => {
    const as = { service: 'services', of: 'start-provider-task' };
    const body = { ...good, idempotency_key: newKey() };
    expect((await purvey.call('POST', PATH, { as, body })).status).toBe(202);
    await settleInTime(purvey);
  });

  test('costs a read, and one document beside what hands its task on', async () => {
    // Its task comes when the clock is moved.
    purvey.cloud.faults.injectDelivery({ delivery: 'task', action: { kind: 'delay', ms: 1_000 } });
    const { usage } = await purvey.cloud.meter.measure(() => start({ idempotency_key: newKey() }));
    expect(usage).toMatchObject({ reads: 1, writes: 3, deletes: 1 });
    await purvey.clock.advance(1_000);
    await settleInTime(purvey);
  });

  refusesBodies(
    () => purvey,
    () => ['POST', PATH, { as: 'operator', body: good }],
    [
      ['no tenant', { tenant_id: undefined }, 'tenant_id', 'is required'],
      ['every tenant', { tenant_id: '*' }, 'tenant_id', /letter or digit/],
      [
        'an unknown provider',
        { provider_name: 'openai' },
        'provider_name',
        /known: synthetic \(synthetic_call\)/,
      ],
      [
        'a capability it lacks',
        { capability: 'x' },
        'capability',
        /not one of synthetic; known: synthetic_call/,
      ],
      ['no operation', { operation: '' }, 'operation', /1 to 128/],
      ['a payload that is no object', { payload: ['x'] }, 'payload', 'must be an object'],
      ['too long a payload', { payload: { x: 'y'.repeat(131_072) } }, 'payload', /131072 bytes/],
      ['a key with spaces', { idempotency_key: 'a b' }, 'idempotency_key', /printable/],
      ['no time at all', { timeout_budget_ms: 0 }, 'timeout_budget_ms', 'must be at least 1'],
      [
        'half a millisecond',
        { timeout_budget_ms: 0.5 },
        'timeout_budget_ms',
        'must be a whole number',
      ],
      ['a field that there is not', { secret: 'x' }, 'secret', 'is not a known field'],
    ],
  );
});
