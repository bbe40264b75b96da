import '../google/support/quick-retries.ts';

import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, it } from 'vitest';

import { deadLetters } from '../../shared/dead-letters/schema.ts';
import type { ExecutionRequest, ProviderTarget } from '../../shared/execution/call.ts';
import type { Execution } from '../../shared/execution/execution.ts';
import { ProviderBase } from '../../shared/execution/provider-base.ts';
import type {
  Attempt,
  ProviderExecutionResult,
  ProviderFailure,
} from '../../shared/execution/result.ts';
import {
  type JsonObject,
  type TaskExecution,
  newTaskExecution,
  startTaskExecution,
  taskExecutionRefs,
} from '../../shared/execution/task-execution.ts';
import { createClients } from '../../shared/google/clients.ts';
import { createContext } from '../../shared/runtime/context.ts';
import type { Log } from '../../shared/runtime/log.ts';
import { runProviderTask } from '../../shared/runtime/provider-task.ts';
import { ref } from '../../shared/store/collection.ts';
import { type TestPurvey, startTestPurvey } from '../support/purvey.ts';
import { storedIn } from '../functions/support.ts';

/** The budget of the synthetic provider, and the lease beyond it. */
const LEASE_MS = 35_000;
let purvey: TestPurvey;
beforeAll(async () => {
  purvey = await startTestPurvey();
  // What is enqueued here stays in the queue: these tests make each dispatch themselves.
  const clients = createClients(purvey.config);
  const tasks = await clients.tasks();
  const { project, region } = purvey.config;
  await tasks.pauseQueue({ name: tasks.queuePath(project, region, 'provider-tasks') });
  await clients.close();
});
afterEach(() => purvey.cloud.faults.clear());
afterAll(() => purvey.close());

const NAME = 'run-provider-task';
const SECRET = 'correct horse battery staple';

type Result = ProviderExecutionResult<unknown>;
type Request = ExecutionRequest<JsonObject>;

let calls: Request[];
let lines: { level: string; fields: Record<string, unknown>; message: string }[];
let jobs = 0;
let key: string;
beforeEach(() => {
  calls = [];
  lines = [];
  key = `job-${++jobs}`;
});

const write = (level: string) => (fields: Record<string, unknown>, message: string) =>
  void lines.push({ level, fields, message });
const log = {
  debug: write('debug'),
  info: write('info'),
  warn: write('warn'),
  error: write('error'),
  child: () => log,
} as unknown as Log;

class Provider extends ProviderBase<JsonObject, unknown> {
  readonly providerName = 'scripted';
  readonly capability = 'synthetic_call';
  protected override executeImpl(): Promise<unknown> {
    throw new Error('the execution layer of these tests calls no provider');
  }
}

/** An execution layer that answers as it is told. */
const answering = (
  answer: (request: Request) => Result | Promise<Result>,
  timeoutBudgetMs?: number,
): Execution => ({
  run: async <Payload, Value>(
    _target: ProviderTarget<Payload, Value>,
    request: ExecutionRequest<Payload>,
  ) => {
    calls.push(request as unknown as Request);
    return (await answer(request as unknown as Request)) as ProviderExecutionResult<Value>;
  },
  policyOf: (of) => {
    const policy = purvey.services.execution.policyOf(of);
    return { ...policy, timeoutBudgetMs: timeoutBudgetMs ?? policy.timeoutBudgetMs };
  },
  flush: async () => undefined,
  close: async () => undefined,
});

const ids = { correlationId: 'c', idempotencyKey: 'i' };
const attempt = (attemptNumber: number, given: Partial<Attempt> = {}): Attempt => ({
  attemptNumber,
  startedAtMs: 0,
  durationMs: 5,
  outcome: 'retry',
  reasonCode: 'timeout',
  retryable: true,
  httpStatus: null,
  ...given,
});
const failure = (given: Partial<ProviderFailure> = {}): ProviderFailure => ({
  reasonCode: 'timeout',
  errorType: 'ProviderTimeoutError',
  message: 'no answer in time',
  httpStatus: null,
  retryable: true,
  ...given,
});
const after = (seconds: number) => new Date(purvey.clock.nowMs() + seconds * 1_000);

const succeeds = (value: unknown = 'done'): Result => ({
  ...ids,
  status: 'succeeded',
  value,
  attempts: [attempt(1, { outcome: 'success', reasonCode: null })],
});
const fails = (retryAt: Date | null, given: Partial<ProviderFailure> = {}, before = 0): Result => ({
  ...ids,
  status: 'failed',
  failure: failure(given),
  retryAt,
  attempts: [
    attempt(before + 1, {
      outcome: retryAt ? 'retry' : 'dead_letter',
      reasonCode: given.reasonCode ?? 'timeout',
    }),
  ],
});
const defers = (
  reasonCode: 'circuit_open' | 'quota_exhausted' | 'rate_limited',
  retryAt: Date,
): Result => ({
  ...ids,
  status: 'deferred',
  failure: failure({ reasonCode }),
  retryAt,
  attempts: [],
});
const cancelled = (attempts: Attempt[] = []): Result => ({
  ...ids,
  status: 'cancelled',
  failure: failure({ reasonCode: null, errorType: 'Cancelled' }),
  attempts,
});

const task = (given: Record<string, unknown> = {}) => ({
  tenant_id: 'acme',
  campaign_id: 'rfq_1',
  provider_name: 'scripted',
  capability: 'synthetic_call',
  operation: 'echo',
  payload: { token: SECRET },
  idempotency_key: key,
  correlation_id: 'corr-1',
  ...given,
});

const idOfTask = (given: Record<string, unknown> = {}): string =>
  newTaskExecution(NAME, task(given), new Date()).task_execution_id;
/** As enqueued by the one before, which has written the document. */
const later = (n: number, given: Record<string, unknown> = {}) =>
  task({ n, task_execution_id: idOfTask(given), ...given });

/** One dispatch by Cloud Tasks. */
const dispatch = (body: unknown, execution: Execution, has = true): Promise<void> => {
  const services = { ...purvey.services, execution, log };
  const context = { ...createContext(services, 'task', null), taskName: 'a-name', retryCount: 0 };
  const provider = () => (has ? new Provider(execution) : null);
  return runProviderTask(NAME, { provider, known: () => ['one (a)', 'two (b)'] }, body, context);
};

async function stored(): Promise<TaskExecution> {
  const refs = taskExecutionRefs({ task_execution_id: idOfTask() });
  const found = await purvey.services.store.get(refs.execution);
  if (!found) throw new Error('nothing is stored');
  return found;
}
const letterOf = async ({ dead_letter_id }: TaskExecution) =>
  dead_letter_id === null ? null : purvey.services.store.get(ref(deadLetters, dead_letter_id));

/** Writes the execution as the start endpoint does. */
async function start(): Promise<void> {
  const execution = newTaskExecution(NAME, task(), purvey.services.now());
  const { command } = createContext(purvey.services, 'req', null);
  const starting = command({ execution });
  await purvey.services.store.apply(starting, taskExecutionRefs(execution), startTaskExecution);
}

/** A call that ends when it is told to. */
function held(result: Result) {
  let release = () => {};
  let arrive = () => {};
  const arrived = new Promise<void>((done) => (arrive = done));
  const released = new Promise<void>((done) => (release = done));
  const execution = answering(async () => {
    arrive();
    await released;
    return result;
  });
  return { execution, arrived, release: () => release() };
}

const outcomes = () => lines.map(({ fields }) => fields['outcome']);

describe('a provider task', () => {
  it('is called with what its task names, and its result is kept', async () => {
    await dispatch(
      task(),
      answering(() => succeeds({ rows: [[1], [2]] })),
    );
    const found = await stored();
    expect(calls).toEqual([
      {
        tenantId: 'acme',
        campaignId: 'rfq_1',
        operation: 'echo',
        payload: { token: SECRET },
        context: {
          correlationId: 'corr-1',
          idempotencyKey: key,
          taskExecutionId: found.task_execution_id,
          timeoutBudgetMs: 5_000,
          attemptsBefore: 0,
          deadLetters: true,
        },
      },
    ]);
    expect(found).toMatchObject({
      state: 'SUCCEEDED',
      attempts: 1,
      fence: 1,
      n: 0,
      result: JSON.stringify({ rows: [[1], [2]] }),
    });
  });

  it('costs 1 read and 2 writes, and 1 read more where it was started by the endpoint', async () => {
    const run = (body: unknown) =>
      purvey.cloud.meter.measure(() =>
        dispatch(
          body,
          answering(() => succeeds()),
        ),
      );
    const direct = await run(task());
    expect(direct.usage).toMatchObject({ reads: 1, writes: 2, deletes: 0 });
    key = `${key}-started`;
    await start();
    const started = await run(later(0));
    expect(started.usage).toMatchObject({ reads: 2, writes: 2, deletes: 0 });
  });

  it('that fails for now goes on where it stopped, with the attempts it has made', async () => {
    await dispatch(
      task(),
      answering(() => fails(after(60))),
    );
    expect(await stored()).toMatchObject({ state: 'WAITING', n: 1, attempts: 1 });
    await dispatch(
      later(1),
      answering(() => fails(after(60), {}, 1)),
    );
    await dispatch(
      later(2),
      answering(() => succeeds()),
    );
    expect(calls.map(({ context }) => context?.attemptsBefore)).toEqual([0, 1, 2]);
    expect(await stored()).toMatchObject({ state: 'SUCCEEDED', attempts: 3, fence: 3, n: 2 });
  });

  it('that is cancelled comes again soon', async () => {
    await dispatch(
      task(),
      answering(() => cancelled()),
    );
    expect(await stored()).toMatchObject({
      state: 'WAITING',
      attempts: 0,
      next_attempt_at: after(5).toISOString(),
      dead_letter_id: null,
    });
  });

  it('of no known provider ends as a dead letter that says which there are', async () => {
    await dispatch(
      task(),
      answering(() => succeeds()),
      false,
    );
    expect(calls).toEqual([]);
    const found = await stored();
    expect(found).toMatchObject({ state: 'FAILED', attempts: 0 });
    expect(await letterOf(found)).toMatchObject({
      reason_code: 'bad_request',
      error_type: 'ProviderBadRequestError',
      error_message: 'no such provider: scripted with synthetic_call; known: one (a), two (b)',
    });
  });
});

describe('case 49: a duplicate delivery', () => {
  it('while the first is in flight is told to come again, and makes no second call', async () => {
    const first = held(succeeds('by the first'));
    const running = dispatch(task(), first.execution);
    await first.arrived;
    for (const body of [task(), later(0)])
      await expect(
        dispatch(
          body,
          answering(() => succeeds('twice')),
        ),
      ).rejects.toMatchObject({
        code: 'request_in_progress',
      });
    first.release();
    await running;
    expect(calls).toHaveLength(1);
    expect(await stored()).toMatchObject({ result: '"by the first"', fence: 1, attempts: 1 });
  });

  it('after success finds the result and makes no call', async () => {
    await dispatch(
      task(),
      answering(() => succeeds('once')),
    );
    await dispatch(
      task(),
      answering(() => succeeds('twice')),
    );
    await dispatch(
      later(0),
      answering(() => fails(null)),
    );
    expect(calls).toHaveLength(1);
    expect(await stored()).toMatchObject({ state: 'SUCCEEDED', result: '"once"' });
  });

  it('after the first has died is one takeover, once its time is over', async () => {
    const dead = held(succeeds());
    void dispatch(task(), dead.execution);
    await dead.arrived;
    await purvey.clock.advance(LEASE_MS);
    const takers = [1, 2, 3].map(() =>
      dispatch(
        task(),
        answering(() => succeeds('by another')),
      ),
    );
    const ends = await Promise.allSettled(takers);
    expect(calls).toHaveLength(2);
    expect(ends.map(({ status }) => status)).toContain('fulfilled');
    expect(await stored()).toMatchObject({ result: '"by another"', fence: 2, attempts: 2 });
  });

  it.each([
    ['success', () => succeeds('by the zombie')],
    ['failure for now', () => fails(after(60))],
    ['failure for good', () => fails(null)],
  ])("overrules the zombie's late %s", async (_, result) => {
    const zombie = held(result());
    const running = dispatch(task(), zombie.execution);
    await zombie.arrived;
    await purvey.clock.advance(LEASE_MS);
    await dispatch(
      task(),
      answering(() => succeeds('by another')),
    );
    const before = await stored();
    const letters = storedIn(purvey, 'dead_letters');
    const { usage } = await purvey.cloud.meter.measure(async () => {
      zombie.release();
      await running;
    });
    expect(usage).toMatchObject({ writes: 0, tasks: 0, messages: 0 });
    expect(await stored()).toEqual(before);
    expect(storedIn(purvey, 'dead_letters')).toEqual(letters);
    expect(outcomes().at(-1)).toBe('duplicate');
  });

  it('overrules the zombie also while the other still runs', async () => {
    const zombie = held(succeeds('by the zombie'));
    const dying = dispatch(task(), zombie.execution);
    await zombie.arrived;
    await purvey.clock.advance(LEASE_MS);
    const taker = held(succeeds('by the taker'));
    const running = dispatch(task(), taker.execution);
    await taker.arrived;
    zombie.release();
    await dying;
    expect(await stored()).toMatchObject({ state: 'RUNNING', fence: 2 });
    taker.release();
    await running;
    expect(await stored()).toMatchObject({ state: 'SUCCEEDED', result: '"by the taker"' });
  });

  it('of a dispatch that dies each time ends as one dead letter, not for ever', async () => {
    for (let n = 0; n < 3; n++) {
      const dead = held(succeeds());
      void dispatch(task(), dead.execution);
      await dead.arrived;
      await purvey.clock.advance(LEASE_MS);
    }
    await dispatch(
      task(),
      answering(() => succeeds()),
    );
    expect(calls).toHaveLength(3);
    const found = await stored();
    expect(found).toMatchObject({ state: 'FAILED', attempts: 3 });
    expect(await letterOf(found)).toMatchObject({
      reason_code: 'internal_error',
      error_message: 'a run of this task ended without saying how',
      attempts: 3,
    });
  });
});

describe.each(['ABORTED', 'UNAVAILABLE'] as const)(
  'a commit that is applied and then answered with %s',
  (code) => {
    const lose = (after: number) =>
      purvey.cloud.faults.inject({
        rpc: 'Commit',
        after,
        action: { kind: 'lose-acknowledgement', code },
      });

    it('is seen to be its own, whether it claims or saves a result', async () => {
      for (const commit of [0, 1]) {
        key = `${key}-${commit}`;
        await start();
        lose(commit);
        await dispatch(
          later(0),
          answering(() => succeeds()),
        );
        expect(await stored()).toMatchObject({ state: 'SUCCEEDED', fence: 1, attempts: 1 });
      }
      expect(calls).toHaveLength(2);
    });

    it('is seen to be its own where it is the first of all', async () => {
      lose(0);
      await dispatch(
        task(),
        answering(() => succeeds()),
      );
      expect(calls).toHaveLength(1);
      expect(await stored()).toMatchObject({ state: 'SUCCEEDED', fence: 1 });
    });

    it('saves a failure, its next dispatch and its dead letter once', async () => {
      lose(1);
      await dispatch(
        task(),
        answering(() => fails(after(60))),
      );
      expect(await stored()).toMatchObject({ state: 'WAITING', attempts: 1, n: 1 });
      lose(1);
      const letters = storedIn(purvey, 'dead_letters').length;
      await dispatch(
        later(1),
        answering(() => fails(null, {}, 1)),
      );
      expect(await stored()).toMatchObject({ state: 'FAILED', attempts: 2 });
      expect(storedIn(purvey, 'dead_letters')).toHaveLength(letters + 1);
    });
  },
);

describe('a result that cannot be saved', () => {
  it('is an error, so that the task comes again and is called again after its lease', async () => {
    const unsaved = answering(() => {
      purvey.cloud.faults.inject({
        rpc: '*',
        times: Infinity,
        action: { kind: 'fail', code: 'PERMISSION_DENIED' },
      });
      return succeeds('unsaved');
    });
    await expect(dispatch(task(), unsaved)).rejects.toThrow(/PERMISSION_DENIED/);
    purvey.cloud.faults.clear();
    await purvey.clock.advance(LEASE_MS);
    await dispatch(
      task(),
      answering(() => succeeds('saved')),
    );
    expect(await stored()).toMatchObject({ state: 'SUCCEEDED', result: '"saved"', attempts: 2 });
  });
});

describe('case 50: the same key with another payload', () => {
  it('is acknowledged, makes no call and changes nothing', async () => {
    await dispatch(
      task(),
      answering(() => fails(after(60))),
    );
    const before = await stored();
    const other = { payload: { another: 1 } };
    await dispatch(
      task(other),
      answering(() => succeeds()),
    );
    await dispatch(
      { ...later(1), ...other },
      answering(() => succeeds()),
    );
    expect(calls).toHaveLength(1);
    expect(await stored()).toEqual(before);
    expect(outcomes()).toEqual(['retry', 'rejected', 'rejected']);
  });

  it('and so is an id that is not of its key', async () => {
    const body = task({ task_execution_id: 'tex_00000000000000000000000000000000' });
    const { usage } = await purvey.cloud.meter.measure(() =>
      dispatch(
        body,
        answering(() => succeeds()),
      ),
    );
    expect(usage).toMatchObject({ reads: 0, writes: 0 });
    expect(calls).toEqual([]);
    expect(outcomes()).toEqual(['rejected']);
  });
});

describe('case 52: a failure that no repetition helps', () => {
  it.each(['auth_failed', 'bad_request', 'response_invalid', 'quota_exhausted'] as const)(
    '%s goes straight to the dead letters, and the task is acknowledged',
    async (reasonCode) => {
      await dispatch(
        task(),
        answering(() => fails(null, { reasonCode, retryable: false })),
      );
      const found = await stored();
      expect(found).toMatchObject({ state: 'FAILED', attempts: 1, n: 0 });
      expect(await letterOf(found)).toMatchObject({ reason_code: reasonCode, attempts: 1 });
      await dispatch(
        task(),
        answering(() => succeeds()),
      );
      expect(calls).toHaveLength(1);
    },
  );

  it('tells no secret in its message', async () => {
    const message = `refused: Bearer ${'a'.repeat(40)}`;
    await dispatch(
      task(),
      answering(() => fails(null, { message })),
    );
    const found = await stored();
    expect(found.last_failure?.message).toBe('refused: Bearer [redacted]');
    expect(await letterOf(found)).toMatchObject({ error_message: 'refused: Bearer [redacted]' });
  });
});

describe('case 53: a refusal', () => {
  it.each(['circuit_open', 'quota_exhausted', 'rate_limited'] as const)(
    'with %s is scheduled for when it ends, burns no attempt, and is acknowledged',
    async (reasonCode) => {
      const until = after(90);
      await dispatch(
        task(),
        answering(() => defers(reasonCode, until)),
      );
      const found = await stored();
      expect(found).toMatchObject({
        state: 'WAITING',
        n: 1,
        attempts: 0,
        next_attempt_at: until.toISOString(),
        last_failure: { reason_code: reasonCode },
      });
      const due = purvey.cloud.tasks
        .tasks()
        .filter(({ body }) => Buffer.from(body).toString().includes(found.task_execution_id));
      expect(due.map(({ scheduleMs }) => scheduleMs)).toEqual([until.getTime()]);
    },
  );
});

describe('case 55: the time of a call', () => {
  it.each([
    ['by the policy', 20_000, undefined, 20_000],
    ['by the payload', 20_000, 900, 900],
    ['by the policy, when the payload asks for more', 20_000, 90_000, 20_000],
    ['by the function, less 15 s for what stands beside the call', 600_000, 300_000, 45_000],
  ])('is bounded %s', async (_, policyMs, payloadMs, expectedMs) => {
    const body = task({ timeout_budget_ms: payloadMs });
    let leaseUntil: string | null = null;
    const execution = answering(async () => {
      leaseUntil = (await stored()).lease_until;
      return succeeds();
    }, policyMs);
    await dispatch(body, execution);
    expect(calls[0]?.context?.timeoutBudgetMs).toBe(expectedMs);
    expect(leaseUntil).toBe(after(expectedMs / 1_000 + 30).toISOString());
  });
});

describe('case 56: what is logged', () => {
  const envelope = (line: { attempt: number; reason_code: string | null; outcome: string }) => ({
    tenant_id: 'acme',
    campaign_id: 'rfq_1',
    provider_name: 'scripted',
    capability: 'synthetic_call',
    operation: 'echo',
    correlation_id: 'corr-1',
    idempotency_key: key,
    ...line,
  });
  const success = attempt(1, { outcome: 'success', reasonCode: null });
  const of = (result: Result, attempts: Attempt[]): Result => ({ ...result, attempts });

  it.each<[string, () => Result, [number, string | null, string][]]>([
    ['success', () => succeeds(), [[1, null, 'success']]],
    [
      'success at the third attempt',
      () => of(succeeds(), [attempt(1), attempt(2), { ...success, attemptNumber: 3 }]),
      [
        [1, 'timeout', 'retry'],
        [2, 'timeout', 'retry'],
        [3, null, 'success'],
      ],
    ],
    ['a failure for now', () => fails(after(9)), [[1, 'timeout', 'retry']]],
    [
      'a failure for now without an attempt',
      () => of(fails(after(9)), []),
      [[0, 'timeout', 'retry']],
    ],
    [
      'a failure for good',
      () => of(fails(null), [attempt(1), attempt(2, { outcome: 'dead_letter' })]),
      [
        [1, 'timeout', 'retry'],
        [2, 'timeout', 'dead_letter'],
      ],
    ],
    ['a refusal', () => defers('circuit_open', after(9)), [[0, 'circuit_open', 'deferred']]],
    [
      'a refusal after an attempt',
      () => of(defers('quota_exhausted', after(9)), [attempt(1)]),
      [
        [1, 'timeout', 'retry'],
        [1, 'quota_exhausted', 'deferred'],
      ],
    ],
    ['cancellation', () => cancelled(), [[0, null, 'cancelled']]],
    [
      'cancellation of an attempt',
      () => cancelled([attempt(1, { outcome: 'failed', reasonCode: null })]),
      [[1, null, 'cancelled']],
    ],
  ])('of %s has all ten fields and no payload', async (_, result, expected) => {
    await dispatch(task(), answering(result));
    expect(lines.map(({ fields }) => fields)).toEqual(
      expected.map(([n, reason_code, outcome]) => envelope({ attempt: n, reason_code, outcome })),
    );
    expect(JSON.stringify(lines)).not.toContain(SECRET);
  });

  it('of an unknown provider, a duplicate, another payload and a zombie has them too', async () => {
    const logged = async (work: () => Promise<unknown>) => {
      lines = [];
      await work().catch(() => undefined);
      return lines.map(({ fields }) => fields);
    };
    const succeeding = answering(() => succeeds());
    const duplicate = (n: number) =>
      envelope({ attempt: n, reason_code: null, outcome: 'duplicate' });
    const rejected = envelope({ attempt: 0, reason_code: null, outcome: 'rejected' });

    expect(await logged(() => dispatch(task(), succeeding, false))).toEqual([
      envelope({ attempt: 0, reason_code: 'bad_request', outcome: 'dead_letter' }),
    ]);
    expect(await logged(() => dispatch(task(), succeeding))).toEqual([duplicate(0)]);
    const other = { payload: { password: SECRET } };
    expect(await logged(() => dispatch(task(other), succeeding))).toEqual([rejected]);
    expect(JSON.stringify(lines)).not.toContain(SECRET);

    key = `${key}-held`;
    const zombie = held(succeeds());
    const running = dispatch(task(), zombie.execution);
    await zombie.arrived;
    expect(await logged(() => dispatch(task(), succeeding))).toEqual([duplicate(0)]);
    await purvey.clock.advance(LEASE_MS);
    await dispatch(task(), succeeding);
    zombie.release();
    expect(await logged(() => running)).toEqual([
      envelope({ attempt: 1, reason_code: null, outcome: 'success' }),
      duplicate(1),
    ]);
  });

  it.each<[string, () => unknown, 'nothing' | 'tenant' | 'all']>([
    ['nothing', () => undefined, 'nothing'],
    ['a text', () => 'text', 'nothing'],
    ['a list', () => [], 'nothing'],
    ['half of it', () => ({ tenant_id: 'acme', operation: 5, payload: SECRET }), 'tenant'],
    ['a wrong number', () => task({ n: -1 }), 'all'],
    ['a payload that is no JSON', () => task({ payload: `{"token": "${SECRET}"` }), 'all'],
    ['too long a payload', () => task({ payload: { [SECRET]: 'x'.repeat(200_000) } }), 'all'],
  ])('of %s instead of a task has them as far as it goes', async (_, body, told) => {
    const { usage } = await purvey.cloud.meter.measure(() =>
      dispatch(
        body(),
        answering(() => succeeds()),
      ),
    );
    expect(usage).toMatchObject({ reads: 0, writes: 0 });
    const all = envelope({ attempt: 0, reason_code: null, outcome: 'rejected' });
    const isTold = (name: string) =>
      told === 'all' ||
      ['attempt', 'outcome'].includes(name) ||
      (told === 'tenant' && name === 'tenant_id');
    expect(lines.map(({ fields }) => fields)).toEqual([
      Object.fromEntries(
        Object.entries(all).map(([name, value]) => [name, isTold(name) ? value : null]),
      ),
    ]);
    expect(JSON.stringify(lines)).not.toContain(SECRET);
  });

  it('is a warning where somebody may have to act', async () => {
    await dispatch(
      task(),
      answering(() => fails(null)),
    );
    await dispatch(
      task({ payload: {} }),
      answering(() => succeeds()),
    );
    key = `${key}-good`;
    await dispatch(
      task(),
      answering(() => succeeds()),
    );
    expect(lines.map(({ level }) => level)).toEqual(['warn', 'warn', 'info']);
  });
});
