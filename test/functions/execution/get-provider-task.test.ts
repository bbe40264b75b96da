import { afterAll, beforeAll, describe, expect, test } from 'vitest';

import { type TestPurvey, startTestPurvey } from '../../support/purvey.ts';
import { settleInTime } from '../../support/settle-in-time.ts';
import { absentId, changesNothing, expectNothingLeaked, ok, refused } from '../support.ts';

const PATH = '/internal/v1/provider-tasks';
const SECRET = 'correct horse battery staple';

let purvey: TestPurvey;
beforeAll(async () => {
  purvey = await startTestPurvey();
});
afterAll(() => purvey.close());

async function started(payload: Record<string, unknown>): Promise<string> {
  const body = {
    tenant_id: 'acme',
    provider_name: 'synthetic',
    capability: 'synthetic_call',
    operation: 'echo',
    payload: { ...payload, token: SECRET },
  };
  const reply = await ok(purvey.call('POST', PATH, { as: 'operator', body }));
  await settleInTime(purvey);
  return reply.task_execution_id;
}
const read = (id: string, as: Parameters<TestPurvey['call']>[2] = { as: 'operator' }) =>
  purvey.call('GET', `${PATH}/${id}`, as);

describe('a provider task', () => {
  test('that succeeded shows what the provider answered, and not what it was asked', async () => {
    const id = await started({ mode: 'succeed', echo: { rows: [[1, 2], [3]] } });
    const reply = await changesNothing(purvey, () => read(id));
    expect(reply).toMatchObject({
      status: 200,
      body: {
        task_execution_id: id,
        state: 'SUCCEEDED',
        attempts: 1,
        result: { echo: { rows: [[1, 2], [3]] }, attempt: 1 },
      },
    });
    expectNothingLeaked(purvey, reply);
    expect(JSON.stringify(reply.body)).not.toContain(SECRET);
    for (const hidden of ['payload', 'payload_hash', 'owner', 'fence', 'lease_until', 'version'])
      expect(reply.body).not.toHaveProperty(hidden);
  });

  test('that waits shows why, and when it is tried next', async () => {
    const id = await started({
      mode: 'fail',
      reason: 'dependency_unavailable',
      retry_after_ms: 90_000,
    });
    const { body } = await read(id);
    expect(body).toMatchObject({
      state: 'WAITING',
      attempts: 1,
      last_failure: {
        reason_code: 'dependency_unavailable',
        error_type: 'ProviderDependencyError',
      },
      dead_letter_id: null,
    });
    expect(Date.parse(body.next_attempt_at)).toBeGreaterThanOrEqual(
      Date.parse(body.last_failure.at) + 90_000,
    );
  });

  test('that failed for good shows why, and its dead letter', async () => {
    const { body } = await read(
      await started({ mode: 'fail', reason: 'auth_failed', http_status: 401 }),
    );
    expect(body).toMatchObject({
      state: 'FAILED',
      attempts: 1,
      result: null,
      next_attempt_at: null,
      last_failure: { reason_code: 'auth_failed', http_status: 401 },
    });
    const letters = await ok(purvey.call('GET', '/api/v1/dead-letters', { as: 'operator' }));
    expect(letters.dead_letters).toMatchObject([{ dead_letter_id: body.dead_letter_id }]);
  });

  test('is shown to services too, at one read', async () => {
    const id = await started({ mode: 'succeed' });
    const as = { as: { service: 'services', of: 'get-provider-task' } };
    const { result, usage } = await purvey.cloud.meter.measure(() => read(id, as));
    expect(result.status).toBe(200);
    expect(usage).toMatchObject({ reads: 1, writes: 0 });
  });

  test('that there is not is answered 404', async () => {
    const call = ['GET', `${PATH}/${absentId('tex')}`, { as: 'operator' }] as const;
    expect(await refused(purvey, call)).toMatchObject({ code: 'not_found' });
  });
});
