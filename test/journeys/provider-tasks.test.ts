import '../google/support/quick-retries.ts';

import { inspect } from 'node:util';

import { afterEach, beforeEach, describe, expect, test } from 'vitest';

import { DeadLetterPayload, deadLetters } from '../../shared/dead-letters/schema.ts';
import type { ExecutionSettings } from '../../shared/execution/policy.ts';
import { reopenTaskExecution, taskExecutionRefs } from '../../shared/execution/task-execution.ts';
import { createContext } from '../../shared/runtime/context.ts';
import type { Log } from '../../shared/runtime/log.ts';
import { executionSettings } from '../../shared/runtime/settings.ts';
import { type Reply, type TestPurvey, startTestPurvey } from '../support/purvey.ts';
import { buryTheDead, passTime, settleInTime } from '../support/settle-in-time.ts';
import { storedText } from '../functions/support.ts';
import {
  ignoreTheDead,
  listenTo,
  nextCrash,
  passRelay,
  restartAfterCrash,
  storedIn,
} from './support.ts';

const PATH = '/internal/v1/provider-tasks';
const TASK = 'run-provider-task';
const SECRET = 'correct horse battery staple';
/** What the synthetic provider throws and nobody may see. */
const THROWN = 'hunter2';

let purvey: TestPurvey;
let logged: { fields: Record<string, unknown>; text: string }[];
let jobs = 0;

const say = (fields: Record<string, unknown> | string, message?: string) =>
  void logged.push({
    fields: typeof fields === 'string' ? {} : fields,
    text: inspect([fields, message], { depth: 20 }),
  });
const log = { debug: say, info: say, warn: say, error: say, child: () => log } as unknown as Log;

async function restart(given: Partial<ExecutionSettings> = {}): Promise<void> {
  await purvey?.close();
  logged = [];
  purvey = await startTestPurvey({
    log,
    executionSettings: () => ({ ...executionSettings(), ...given }),
  });
}

beforeEach(async () => {
  ignoreTheDead();
  await restart();
});
afterEach(async () => {
  purvey.cloud.faults.clear();
  await purvey.close();
});

interface Shown {
  readonly [field: string]: Reply['body'];
}

const bodyOf = (payload: Record<string, unknown>, given: Record<string, unknown> = {}) => ({
  tenant_id: 'acme',
  campaign_id: 'rfq_1',
  provider_name: 'synthetic',
  capability: 'synthetic_call',
  operation: 'echo',
  correlation_id: 'corr-1',
  idempotency_key: `job-${++jobs}`,
  payload: { token: SECRET, ...payload },
  ...given,
});

async function start(
  payload: Record<string, unknown>,
  given: Record<string, unknown> = {},
): Promise<string> {
  const body = bodyOf(payload, given);
  const reply = await purvey.call('POST', PATH, { as: 'operator', body });
  if (reply.status !== 202) throw new Error(JSON.stringify(reply.body));
  return reply.body.task_execution_id;
}

const read = async (id: string): Promise<Shown> =>
  (await purvey.call('GET', `${PATH}/${id}`, { as: 'operator' })).body;

/** Starts it, lets it come to rest, and shows it. */
async function played(
  payload: Record<string, unknown>,
  given: Record<string, unknown> = {},
): Promise<Shown> {
  const id = await start(payload, given);
  await settleInTime(purvey);
  return read(id);
}

const lettersOf = async (id: string) => {
  const { docs } = await purvey.services.store.query({ collection: deadLetters, limit: 100 });
  return docs.filter(({ replay }) => replay.payload['task_execution_id'] === id);
};

/** The envelope's last three fields, in the order they were logged. */
const told = () =>
  logged
    .filter(({ fields }) => 'outcome' in fields)
    .map(({ fields }) => [fields['attempt'], fields['reason_code'], fields['outcome']]);

/** Dispatches so far: what is billed are they and the creations, of which none is still to come. */
const dispatched = (): number => {
  const { tasks, rpcs } = purvey.cloud.meter.read();
  return tasks - (rpcs['CreateTask'] ?? 0);
};

const untilMs = ({ next_attempt_at: at }: Shown): number => Date.parse(at) - purvey.clock.nowMs();

describe('a provider task', () => {
  test('retries transient errors and succeeds before exhaustion, within one dispatch', async () => {
    const shown = await played({ mode: 'fail_times', times: 2, echo: 'at last' });
    expect(shown).toMatchObject({
      state: 'SUCCEEDED',
      attempts: 3,
      result: { echo: 'at last', attempt: 3 },
      dead_letter_id: null,
    });
    expect(told()).toEqual([
      [1, 'dependency_unavailable', 'retry'],
      [2, 'dependency_unavailable', 'retry'],
      [3, null, 'success'],
    ]);
    expect(dispatched()).toBe(1);
  });

  test('retries transient errors and succeeds before exhaustion, over several dispatches', async () => {
    const payload = { mode: 'fail_times', times: 2, retry_after_ms: 60_000 };
    const id = await start(payload);
    await settleInTime(purvey);
    for (const attempts of [1, 2]) {
      const waiting = await read(id);
      expect(waiting).toMatchObject({ state: 'WAITING', attempts });
      expect(untilMs(waiting)).toBe(60_000);
      await purvey.clock.advance(60_000);
      await settleInTime(purvey);
    }
    expect(await read(id)).toMatchObject({
      state: 'SUCCEEDED',
      attempts: 3,
      result: { attempt: 3 },
    });
    expect(dispatched()).toBe(3);
    expect(purvey.cloud.tasks.tasks()).toEqual([]);
  });

  test('exhausts retries and emits the dead-letter payload, with all thirteen fields, once', async () => {
    const heard = await listenTo(purvey, 'purvey-deadletter');
    const payload = { mode: 'fail', reason: 'connection_error' };
    const shown = await played(payload, { idempotency_key: 'exhausted' });
    expect(shown).toMatchObject({ state: 'FAILED', attempts: 3 });
    const expected = {
      tenant_id: 'acme',
      campaign_id: 'rfq_1',
      task_name: TASK,
      provider_name: 'synthetic',
      capability: 'synthetic_call',
      operation: 'echo',
      idempotency_key: 'exhausted',
      correlation_id: 'corr-1',
      reason_code: 'connection_error',
      error_type: 'ProviderConnectionError',
      error_message: 'the synthetic provider was told to fail with connection_error',
      attempts: 3,
      occurred_at: shown['last_failure'].at,
    };
    expect(Object.keys(expected).toSorted()).toEqual(
      Object.keys(DeadLetterPayload.shape).toSorted(),
    );
    const letters = await lettersOf(shown['task_execution_id']);
    expect(letters).toMatchObject([{ ...expected, dead_letter_id: shown['dead_letter_id'] }]);
    const events = await heard();
    expect(events).toMatchObject([{ event_type: 'dead_letter.recorded', data: expected }]);
    expect(told().map(([, , outcome]) => outcome)).toEqual(['retry', 'retry', 'dead_letter']);
  });

  test('never makes more attempts than the policy, over both layers of retries', async () => {
    const payload = { mode: 'fail_times', times: 99, retry_after_ms: 10_000 };
    const id = await start(payload);
    await passTime(purvey, 60);
    expect(await read(id)).toMatchObject({ state: 'FAILED', attempts: 3 });
    expect(dispatched()).toBe(3);
  });

  test('that is reopened has all its attempts again, and leaves another dead letter if they fail', async () => {
    const shown = await played({ mode: 'fail', reason: 'connection_error' });
    const task_execution_id = shown['task_execution_id'];
    const { command } = createContext(purvey.services, 'req', null);
    const refs = taskExecutionRefs({ task_execution_id });
    await purvey.services.store.apply(command({}), refs, reopenTaskExecution);
    await passTime(purvey, 30);
    const again = await read(task_execution_id);
    expect(again).toMatchObject({ state: 'FAILED', attempts: 3 });
    const letters = (await lettersOf(task_execution_id)).map(({ dead_letter_id: id }) => id);
    expect(letters.toSorted()).toEqual(
      [String(shown['dead_letter_id']), String(again['dead_letter_id'])].toSorted(),
    );
    expect(told()).toHaveLength(6);
  });
});

describe('the circuit breaker', () => {
  test('fast-fails while open and recovers after cooldown by a half-open probe', async () => {
    for (let failure = 0; failure < 5; failure++)
      expect(await played({ mode: 'garbage' })).toMatchObject({ state: 'FAILED', attempts: 1 });
    const refused = await played({ mode: 'succeed' });
    // Case 53: it waits until the breaker may close again, and has burnt no attempt.
    expect(refused).toMatchObject({
      state: 'WAITING',
      attempts: 0,
      last_failure: { reason_code: 'circuit_open', error_type: 'ProviderCircuitOpenError' },
    });
    expect(untilMs(refused)).toBeGreaterThan(50_000);
    expect(untilMs(refused)).toBeLessThanOrEqual(60_000);
    expect(told().at(-1)).toEqual([0, 'circuit_open', 'deferred']);

    // Others are not concerned.
    expect(await played({ mode: 'succeed' }, { tenant_id: 'other' })).toMatchObject({
      state: 'SUCCEEDED',
    });
    await passTime(purvey, 65);
    expect(await read(refused['task_execution_id'])).toMatchObject({
      state: 'SUCCEEDED',
      attempts: 1,
    });
    expect(await played({ mode: 'succeed' })).toMatchObject({ state: 'SUCCEEDED', attempts: 1 });
    expect(purvey.cloud.tasks.pushBacks()).toBe(0);
  });
});

describe('the quota', () => {
  test('case 53: exhaustion fails fast with quota_exhausted, and the task goes on in the next window', async () => {
    const limits = { minute: 3, time_zone: 'UTC', outage: 'refuse', outage_allowance: 0 } as const;
    await restart({ quotas: [{ provider: 'synthetic', capability: 'synthetic_call', limits }] });
    const ids = await Promise.all(Array.from({ length: 5 }, () => start({ mode: 'succeed' })));
    await settleInTime(purvey);
    const shown = await Promise.all(ids.map(read));
    const waiting = shown.filter(({ state }) => state === 'WAITING');
    expect(shown.filter(({ state }) => state === 'SUCCEEDED')).toHaveLength(3);
    expect(waiting).toHaveLength(2);
    for (const each of waiting) {
      expect(each).toMatchObject({
        attempts: 0,
        last_failure: { reason_code: 'quota_exhausted', error_type: 'ProviderQuotaExceededError' },
      });
      expect(untilMs(each)).toBeLessThanOrEqual(61_000);
    }
    await passTime(purvey, 65);
    for (const id of ids) expect(await read(id)).toMatchObject({ state: 'SUCCEEDED', attempts: 1 });
  });
});

describe('case 54: a limit that concerns one tenant', () => {
  test('is never answered with 429 or 503, and its task is not tried again by the queue', async () => {
    const limits = { minute: 0, time_zone: 'UTC', outage: 'refuse', outage_allowance: 0 } as const;
    const rule = { provider: 'synthetic', capability: 'synthetic_call', limits };
    await restart({ quotas: [{ ...rule, tenant: 'poor' }] });
    const rateLimited = { mode: 'fail', reason: 'rate_limited', retry_after_ms: 30_000 };
    await start(rateLimited, { tenant_id: 'hasty' });
    await settleInTime(purvey);
    // The second finds the pause that the first was asked for.
    await start({ mode: 'succeed' }, { tenant_id: 'hasty' });
    await start({ mode: 'succeed' }, { tenant_id: 'poor' });
    await settleInTime(purvey);
    expect(told()).toEqual(
      expect.arrayContaining([
        [1, 'rate_limited', 'retry'],
        [0, 'rate_limited', 'deferred'],
        [0, 'quota_exhausted', 'deferred'],
      ]),
    );
    expect(dispatched()).toBe(3);
    expect(purvey.cloud.tasks.pushBacks()).toBe(0);
    const waiting = purvey.cloud.tasks.tasks();
    expect(waiting.map(({ dispatchCount }) => dispatchCount)).toEqual([0, 0, 0]);
    expect(await played({ mode: 'succeed' }, { tenant_id: 'good' })).toMatchObject({
      state: 'SUCCEEDED',
    });
  });
});

describe('case 55: the time budget', () => {
  test('ends a call that never answers, and counts it as a timeout', async () => {
    const startedMs = purvey.clock.nowMs();
    const id = await start({ mode: 'hang' }, { timeout_budget_ms: 1_000 });
    await settleInTime(purvey);
    const shown = await read(id);
    expect(shown).toMatchObject({
      attempts: 1,
      last_failure: { reason_code: 'timeout', error_type: 'ProviderTimeoutError' },
    });
    expect(Date.parse(shown['last_failure'].at) - startedMs).toBeLessThan(5_000);
    await passTime(purvey, 30);
    expect(await read(id)).toMatchObject({ state: 'FAILED', attempts: 3 });
    expect(await lettersOf(id)).toMatchObject([{ reason_code: 'timeout', attempts: 3 }]);
  });

  test('leaves time to a slow call that keeps within it', async () => {
    const shown = await played({ mode: 'slow', delay_ms: 3_000, echo: 'slow' });
    expect(shown).toMatchObject({ state: 'SUCCEEDED', attempts: 1, result: { echo: 'slow' } });
  });
});

describe('case 49: a task that is delivered twice', () => {
  const byHand = (id: string, body: Record<string, unknown>) =>
    purvey.call('POST', `/_functions/${TASK}`, {
      as: { service: 'tasks', of: TASK },
      body: { ...body, n: 0, task_execution_id: id },
      headers: { 'x-cloudtasks-taskname': 'again', 'x-cloudtasks-taskretrycount': '0' },
    });

  test('while the first is in flight is answered 409, and calls nobody', async () => {
    const body = bodyOf({ mode: 'slow', delay_ms: 4_000 });
    const { body: begun } = await purvey.call('POST', PATH, { as: 'operator', body });
    const id = begun.task_execution_id;
    while ((await read(id))['state'] !== 'RUNNING');
    const again = await byHand(id, body);
    expect(again).toMatchObject({ status: 409, body: { error: { code: 'request_in_progress' } } });
    await settleInTime(purvey);
    expect(await read(id)).toMatchObject({ state: 'SUCCEEDED', attempts: 1 });

    const before = await read(id);
    expect(await byHand(id, body)).toMatchObject({ status: 200 });
    expect(await byHand(id, { ...body, payload: {} })).toMatchObject({ status: 200 });
    expect(await read(id)).toEqual(before);
    expect(told()).toEqual([
      [0, null, 'duplicate'],
      [1, null, 'success'],
      [1, null, 'duplicate'],
      [0, null, 'rejected'],
    ]);
  });

  test.each([true, false])('by Cloud Tasks itself is one call (at once: %s)', async (together) => {
    purvey.cloud.faults.injectDelivery({
      delivery: 'task',
      action: { kind: 'duplicate', together },
    });
    const id = await start({ mode: 'fail_times', times: 1, echo: 'once' });
    await passTime(purvey, 90);
    expect(await read(id)).toMatchObject({ state: 'SUCCEEDED', attempts: 2 });
    expect(told().filter(([, , outcome]) => outcome === 'success')).toHaveLength(1);
    expect(purvey.cloud.tasks.tasks()).toEqual([]);
  });
});

describe('case 51: a dead letter whose event cannot be published', () => {
  test('is written once all the same, its task is acknowledged, and the event follows once', async () => {
    const heard = await listenTo(purvey, 'purvey-deadletter');
    purvey.cloud.faults.inject({
      rpc: 'Publish',
      times: Infinity,
      action: { kind: 'fail', code: 'UNAVAILABLE' },
    });
    const id = await start({ mode: 'fail', reason: 'bad_request' });
    await purvey.settle();
    expect(await read(id)).toMatchObject({ state: 'FAILED', attempts: 1 });
    expect(await lettersOf(id)).toHaveLength(1);
    expect(await heard()).toEqual([]);
    expect(purvey.cloud.tasks.tasks()).toEqual([]);
    expect(storedIn(purvey, 'outbox')).toHaveLength(1);

    purvey.cloud.faults.clear();
    await passRelay(purvey);
    expect(await heard()).toMatchObject([{ data: { reason_code: 'bad_request', attempts: 1 } }]);
    expect(await lettersOf(id)).toHaveLength(1);
    expect(storedIn(purvey, 'outbox')).toEqual([]);
  });
});

describe('a crash after any RPC of a task', () => {
  /** @returns null when the task was done after fewer RPCs */
  async function playWithCrashAfter(n: number, payload: Record<string, unknown>) {
    purvey.cloud.faults.injectDelivery({ delivery: 'task', action: { kind: 'delay', ms: 1_000 } });
    const id = await start(payload);
    await purvey.settle();
    const crash = nextCrash(purvey).then(() => 'crashed');
    purvey.cloud.faults.inject({ rpc: '*', after: n, action: { kind: 'crash' } });
    await purvey.clock.advance(1_000);
    const end = await Promise.race([crash, purvey.settle().then(() => 'done')]);
    if (end === 'done') return null;
    await restartAfterCrash(purvey);
    await buryTheDead(purvey);
    await passTime(purvey, 190);
    return id;
  }

  test.each([
    ['that succeeds', { mode: 'succeed' }, 'SUCCEEDED', 0],
    ['that fails for good', { mode: 'fail', reason: 'auth_failed' }, 'FAILED', 1],
  ])(
    '%s leaves one end, one takeover at most, and nothing behind',
    async (_, payload, state, letters) => {
      const heard = await listenTo(purvey, 'purvey-deadletter');
      let n = 0;
      for (; ; n++) {
        const id = await playWithCrashAfter(n, payload);
        if (id === null) break;
        const at = `crash after RPC ${n}`;
        const { execution } = await purvey.services.store.getAll(
          taskExecutionRefs({ task_execution_id: id }),
        );
        expect(execution, at).toMatchObject({ state });
        // More dispatches than one where the dead held a lock for longer than a call has time.
        const { n: dispatches = 0, fence = 0, attempts = 0 } = execution ?? {};
        expect(fence, at).toBeLessThanOrEqual(dispatches + 2);
        expect(attempts, at).toBeLessThanOrEqual(fence);
        expect(await lettersOf(id), at).toHaveLength(letters);
        const events = new Set((await heard()).map(({ event_id }) => event_id));
        expect(events.size, at).toBe(letters);
        expect(storedIn(purvey, 'outbox'), at).toEqual([]);
        expect(purvey.cloud.tasks.tasks(), at).toEqual([]);
      }
      expect(n).toBeGreaterThan(3);
    },
    120_000,
  );
});

describe('case 56: every end of a task', () => {
  test('is logged with the ten fields, and nothing of it tells a secret', async () => {
    const fields = [
      'tenant_id',
      'campaign_id',
      'provider_name',
      'capability',
      'operation',
      'correlation_id',
      'idempotency_key',
      'attempt',
      'reason_code',
      'outcome',
    ];
    const thrown = await played({ mode: 'throw' });
    expect(thrown).toMatchObject({
      state: 'FAILED',
      last_failure: { reason_code: 'internal_error', error_type: 'ProviderInternalError' },
    });
    await played({ mode: 'succeed' });
    await played({ mode: 'fail', reason: 'auth_failed' });
    await played({ mode: 'fail', reason: 'timeout', retry_after_ms: 60_000 });
    await played({ mode: 'explode' });
    const envelopes = logged.filter(({ fields: given }) => 'outcome' in given);
    expect(envelopes.map(({ fields: given }) => Object.keys(given))).toEqual(
      envelopes.map(() => fields),
    );
    expect(told()).toEqual([
      [1, 'internal_error', 'dead_letter'],
      [1, null, 'success'],
      [1, 'auth_failed', 'dead_letter'],
      [1, 'timeout', 'retry'],
      [1, 'bad_request', 'dead_letter'],
    ]);
    const everything = logged.map(({ text }) => text).join('\n');
    expect(everything).not.toContain(SECRET);
    expect(everything).not.toContain(THROWN);
    expect(storedText(purvey)).not.toContain(THROWN);
  });
});
