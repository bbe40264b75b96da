import fc from 'fast-check';
import { describe, expect, it } from 'vitest';

import { DeadLetterPayload, deadLetters } from '../../../shared/dead-letters/schema.ts';
import type { Attempt, ProviderExecutionResult } from '../../../shared/execution/result.ts';
import {
  ProviderTaskPayload,
  StartProviderTask,
  type TaskExecution,
  TaskExecutionView,
  afterRun,
  claim,
  finishedRun,
  isRecorded,
  newTaskExecution,
  recordRun,
  reopenTaskExecution,
  startTaskExecution,
  taskExecutionRefs,
  taskExecutionView,
} from '../../../shared/execution/task-execution.ts';
import { ref } from '../../../shared/store/collection.ts';
import { at, command, docAt, errorOf, later } from '../examples.ts';

const LEASE_MS = 35_000;
const keep = (text: string) => text;

const asked = (given: Partial<StartProviderTask> & { n?: number } = {}) =>
  newTaskExecution(
    'run-provider-task',
    {
      tenant_id: 'acme',
      provider_name: 'synthetic',
      capability: 'synthetic_call',
      operation: 'echo',
      payload: { mode: 'succeed', matrix: [[1, 2], [3]] },
      idempotency_key: 'job-1',
      ...given,
    },
    at,
  );
const place = taskExecutionRefs(asked()).execution;

const by = (owner: string, seconds = 0) => ({ owner, at: later(seconds), leaseMs: LEASE_MS });

function running(found: TaskExecution | null, owner = 'one', seconds = 0): TaskExecution {
  const claimed = claim(found, asked(found ? { n: found.n } : {}), by(owner, seconds));
  if (claimed.kind !== 'run') throw new Error(`it was ${claimed.kind}`);
  return claimed.execution;
}

const attempt = (attemptNumber: number, given: Partial<Attempt> = {}): Attempt => ({
  attemptNumber,
  startedAtMs: at.getTime(),
  durationMs: 5,
  outcome: 'retry',
  reasonCode: 'timeout',
  retryable: true,
  httpStatus: null,
  ...given,
});
const failure = {
  reasonCode: 'dependency_unavailable',
  errorType: 'ProviderDependencyError',
  message: 'the provider answered 503',
  httpStatus: 503,
  retryable: true,
} as const;
const ids = { correlationId: 'c', idempotencyKey: 'i' };

const succeeded = (value: unknown): ProviderExecutionResult<unknown> => ({
  ...ids,
  status: 'succeeded',
  value,
  attempts: [attempt(1, { outcome: 'success', reasonCode: null })],
});
const failed = (retryAt: Date | null, attempts = 1): ProviderExecutionResult<unknown> => ({
  ...ids,
  status: 'failed',
  failure,
  retryAt,
  attempts: Array.from({ length: attempts }, (_, i) => attempt(i + 1)),
});
const deferred = (retryAt: Date): ProviderExecutionResult<unknown> => ({
  ...ids,
  status: 'deferred',
  failure: { ...failure, reasonCode: 'circuit_open', httpStatus: null },
  retryAt,
  attempts: [],
});

const record = (
  found: TaskExecution | null,
  under: TaskExecution,
  result: ProviderExecutionResult<unknown>,
  ended = later(1),
) =>
  recordRun({ execution: found }, { ...command(), run: finishedRun(under, result, ended, keep) });

/** As after a run that came to `result`. */
function after(result: ProviderExecutionResult<unknown>, ended = later(1)): TaskExecution {
  const execution = running(null);
  const next = docAt(record(execution, execution, result, ended), place);
  if (!next) throw new Error('nothing was recorded');
  return next;
}
const ended = { succeeded: after(succeeded('done')), failed: after(failed(null)) };

describe('the identity of a provider task', () => {
  it('is its function, tenant and key', () => {
    expect(asked().task_execution_id).toMatch(/^tex_[0-9a-f]{32}$/);
    expect(asked({ operation: 'other' }).task_execution_id).toBe(asked().task_execution_id);
    const others = [
      asked({ tenant_id: 'other' }),
      asked({ idempotency_key: 'job-2' }),
      newTaskExecution('other-task', { ...asked(), payload: {} }, at),
    ];
    expect(new Set([asked(), ...others].map((each) => each.task_execution_id)).size).toBe(4);
  });

  it('without a key is what is called, however its members are ordered', () => {
    const keyless = { idempotency_key: null };
    const one = asked({ ...keyless, payload: { a: 1, b: { c: 2, d: 3 } } });
    const same = asked({ ...keyless, payload: { b: { d: 3, c: 2 }, a: 1 }, campaign_id: 'rfq_1' });
    expect(same.task_execution_id).toBe(one.task_execution_id);
    for (const other of [
      { payload: { a: 1, b: { c: 2, d: 4 } } },
      { payload: { a: 1, b: { c: 2, d: 3 } }, operation: 'other' },
      { payload: { a: 1, b: { c: 2, d: 3 } }, capability: 'other' },
      { payload: { a: 1, b: { c: 2, d: 3 } }, provider_name: 'other' },
    ])
      expect(asked({ ...keyless, ...other }).task_execution_id).not.toBe(one.task_execution_id);
  });

  it.each([
    ['tenant_id', 'a\nb'],
    ['tenant_id', '*'],
    ['provider_name', ''],
    ['operation', 'a b'],
    ['idempotency_key', 'a\nb'],
    ['idempotency_key', ''],
    ['correlation_id', 'x'.repeat(256)],
    ['timeout_budget_ms', 0],
    ['payload', ['list']],
    ['payload', { big: 'x'.repeat(128 * 1024) }],
    ['password', 'no such field'],
  ])('has no %s like %j', (field, value) => {
    const body = {
      tenant_id: 'acme',
      provider_name: 'synthetic',
      capability: 'synthetic_call',
      operation: 'echo',
      payload: {},
    };
    expect(StartProviderTask.safeParse(body).success).toBe(true);
    expect(StartProviderTask.safeParse({ ...body, [field]: value }).success).toBe(false);
  });
});

describe('starting', () => {
  it('writes what waits and enqueues its first dispatch in one commit', () => {
    const decision = startTaskExecution({ execution: null }, { ...command(), execution: asked() });
    expect(docAt(decision, place)).toMatchObject({ state: 'WAITING', n: 0, fence: 0, attempts: 0 });
    expect(decision.tasks).toEqual([
      {
        function: 'run-provider-task',
        name: `run-provider-task/${asked().task_execution_id}/0`,
        payload: expect.objectContaining({ task_execution_id: asked().task_execution_id, n: 0 }),
      },
    ]);
    expect(decision.reply).toMatchObject({ state: 'WAITING', result: null });
  });

  it('again answers what is known and changes nothing, whatever has become of it', () => {
    for (const found of [running(null), ended.succeeded, ended.failed]) {
      const decision = startTaskExecution(
        { execution: found },
        { ...command(), execution: asked() },
      );
      expect(decision).toEqual({ writes: [], reply: taskExecutionView(found) });
    }
  });

  it('case 50: with the same key for another payload is refused', () => {
    const other = asked({ payload: { mode: 'fail' } });
    const start = () =>
      startTaskExecution({ execution: asked() }, { ...command(), execution: other });
    expect(errorOf(start)).toMatchObject({ code: 'idempotency_mismatch' });
  });
});

describe('a dispatch', () => {
  it('that nobody wrote of before runs under a lease', () => {
    expect(claim(null, asked(), by('one'))).toEqual({
      kind: 'run',
      isNew: true,
      execution: expect.objectContaining({
        state: 'RUNNING',
        fence: 1,
        owner: 'one',
        lease_until: later(35).toISOString(),
        next_attempt_at: null,
        version: 1,
      }),
    });
  });

  it('that was started runs, and so does the one it waits for', () => {
    expect(running(asked())).toMatchObject({ state: 'RUNNING', fence: 1, n: 0, version: 2 });
    const waiting = after(failed(later(60)));
    expect(running(waiting, 'two', 60)).toMatchObject({ fence: 2, n: 1, attempts: 1 });
  });

  it('case 49: while another runs is told so, until the lease is over', () => {
    const first = running(null);
    expect(claim(first, asked(), by('two', 34.999))).toEqual({ kind: 'busy', attempts: 0 });
    expect(claim(first, asked(), by('two', 35))).toMatchObject({ kind: 'run' });
  });

  it('whose own claim was committed unheard goes on under it', () => {
    const first = running(null);
    expect(claim(first, asked(), by('one', 1))).toEqual({
      kind: 'run',
      execution: first,
      isNew: false,
    });
  });

  it('case 49: after success or failure for good is a duplicate', () => {
    for (const found of [ended.succeeded, ended.failed])
      expect(claim(found, asked(), by('two', 3_600))).toEqual({ kind: 'duplicate', attempts: 1 });
  });

  it('older than the one that is expected or running is a duplicate', () => {
    const waiting = after(failed(later(60)));
    expect(claim(waiting, asked(), by('two', 2))).toMatchObject({ kind: 'duplicate' });
    expect(claim(running(waiting, 'two', 60), asked(), by('three', 200))).toMatchObject({
      kind: 'duplicate',
    });
  });

  it('case 49: takes over once from one whose lease is over, and that one counts as an attempt', () => {
    const second = running(running(null), 'two', 35);
    expect(second).toMatchObject({
      fence: 2,
      owner: 'two',
      attempts: 1,
      lease_until: later(70).toISOString(),
      last_failure: { reason_code: 'internal_error', error_type: 'ProviderInternalError' },
    });
    expect(claim(second, asked(), by('three', 36))).toMatchObject({ kind: 'busy' });
  });

  it('case 50: with another payload is rejected, in every state', () => {
    const other = asked({ payload: { mode: 'fail' } });
    for (const found of [asked(), running(null), ended.succeeded, ended.failed])
      expect(claim(found, other, by('two', 3_600))).toEqual({ kind: 'rejected' });
  });
});

describe('a run', () => {
  it('that succeeded keeps the answer, and nothing is left to do', () => {
    const execution = running(null);
    const decision = record(execution, execution, succeeded({ rows: [[1], [2]] }));
    expect(docAt(decision, place)).toMatchObject({
      state: 'SUCCEEDED',
      attempts: 1,
      owner: null,
      lease_until: null,
    });
    expect(taskExecutionView(after(succeeded({ rows: [[1], [2]] }))).result).toEqual({
      rows: [[1], [2]],
    });
    expect(decision).toMatchObject({ reply: { recorded: true } });
    expect(decision.tasks ?? decision.events).toBeUndefined();
  });

  it.each([
    ['of 256 KiB is kept', 'x'.repeat(256 * 1024 - 2), /^x+$/],
    [
      'above 256 KiB leaves a note',
      'x'.repeat(256 * 1024 - 1),
      /262145 bytes, and 262144 are kept/,
    ],
    ['that is no JSON leaves a note', 10n, /no JSON/],
    ['that is a function leaves a note', () => 0, /no JSON/],
  ])('whose answer %s', (_, value, kept) => {
    const { result } = taskExecutionView(after(succeeded(value)));
    const text = typeof result === 'string' ? result : (result as { not_kept: string }).not_kept;
    expect(text).toMatch(kept);
  });

  it('whose answer is nothing has the result null', () => {
    expect(taskExecutionView(after(succeeded(undefined))).result).toBeNull();
  });

  it('that failed for now enqueues the next dispatch, under its own name', () => {
    const execution = running(null);
    const decision = record(execution, execution, failed(later(60), 2));
    expect(docAt(decision, place)).toMatchObject({
      state: 'WAITING',
      n: 1,
      attempts: 2,
      next_attempt_at: later(60).toISOString(),
      last_failure: {
        reason_code: 'dependency_unavailable',
        error_type: 'ProviderDependencyError',
        message: 'the provider answered 503',
        http_status: 503,
        at: later(1).toISOString(),
      },
    });
    expect(decision.tasks).toMatchObject([
      { name: `run-provider-task/${execution.task_execution_id}/1`, at: later(60) },
    ]);
    expect(decision.events).toBeUndefined();
  });

  it('enqueues a payload that its function takes, and that is the same work', () => {
    const execution = running(asked({ campaign_id: 'rfq_1', timeout_budget_ms: 900 }));
    const [task] = record(execution, execution, failed(later(60))).tasks ?? [];
    const payload = ProviderTaskPayload.parse(JSON.parse(JSON.stringify(task?.payload)));
    expect(newTaskExecution('run-provider-task', payload, at)).toMatchObject({
      task_execution_id: execution.task_execution_id,
      payload_hash: execution.payload_hash,
      payload: execution.payload,
      campaign_id: 'rfq_1',
      correlation_id: execution.correlation_id,
      timeout_budget_ms: 900,
      n: 1,
    });
  });

  it('case 53: that was refused waits until it may, and burns no attempt', () => {
    expect(after(deferred(later(120)))).toMatchObject({
      state: 'WAITING',
      n: 1,
      attempts: 0,
      next_attempt_at: later(120).toISOString(),
      last_failure: { reason_code: 'circuit_open' },
    });
  });

  it('case 53: that was refused until now pauses, so that it does not spin', () => {
    expect(after(deferred(at)).next_attempt_at).toBe(later(2).toISOString());
  });

  it('is never scheduled further ahead than Cloud Tasks takes, nor kept for less', () => {
    const waiting = after(deferred(later(31 * 86_400)));
    expect(waiting.next_attempt_at).toBe(later(28 * 86_400 + 1).toISOString());
    expect(waiting.expire_at).toEqual(later(58 * 86_400 + 1));
    expect(after(failed(new Date(0))).next_attempt_at).toBe(later(1).toISOString());
  });

  it('that was cancelled comes again after a pause', () => {
    const cancelled: ProviderExecutionResult<unknown> = {
      ...ids,
      status: 'cancelled',
      failure: { ...failure, reasonCode: null, errorType: 'Cancelled' },
      attempts: [attempt(1, { outcome: 'failed', reasonCode: null })],
    };
    expect(after(cancelled)).toMatchObject({
      state: 'WAITING',
      n: 1,
      attempts: 1,
      next_attempt_at: later(6).toISOString(),
      last_failure: { reason_code: null, error_type: 'Cancelled' },
    });
  });

  it('case 51: that failed for good leaves one dead letter with all thirteen fields', () => {
    const execution = running({ ...asked({ campaign_id: 'rfq_1' }), attempts: 1 });
    const decision = record(execution, execution, failed(null, 2));
    const failedDoc = docAt(decision, place);
    expect(failedDoc).toMatchObject({ state: 'FAILED', attempts: 3, n: 0 });
    const letter = docAt(decision, ref(deadLetters, failedDoc?.dead_letter_id ?? ''));
    const payload = {
      tenant_id: 'acme',
      campaign_id: 'rfq_1',
      task_name: 'run-provider-task',
      provider_name: 'synthetic',
      capability: 'synthetic_call',
      operation: 'echo',
      idempotency_key: 'job-1',
      correlation_id: execution.task_execution_id,
      reason_code: 'dependency_unavailable',
      error_type: 'ProviderDependencyError',
      error_message: 'the provider answered 503',
      attempts: 3,
      occurred_at: later(1).toISOString(),
    };
    expect(Object.keys(payload).toSorted()).toEqual(
      Object.keys(DeadLetterPayload.shape).toSorted(),
    );
    expect(letter).toMatchObject({ ...payload, status: 'OPEN' });
    expect(decision.events).toMatchObject([{ topic: 'purvey-deadletter', fields: payload }]);
    expect(decision.tasks).toBeUndefined();
    expect(ProviderTaskPayload.parse(letter?.replay.payload)).toMatchObject({
      payload: { mode: 'succeed', matrix: [[1, 2], [3]] },
    });
  });

  it('tells its failure redacted and not at length', () => {
    const execution = running(null);
    const told = { ...failure, message: `token ${'x'.repeat(5_000)}` };
    const result = { ...failed(null), failure: told } as ProviderExecutionResult<unknown>;
    const hide = (text: string) => text.replace('token', '[hidden]');
    const run = finishedRun(execution, result, later(1), hide);
    expect(run.outcome).toMatchObject({
      failure: { message: expect.stringMatching(/^\[hidden\] x/) },
    });
    expect(afterRun(execution, run)?.last_failure?.message).toHaveLength(1_000);
  });

  it('case 49: of a zombie changes nothing, whatever it came to and whatever is known by then', () => {
    const zombie = running(null);
    const taker = running(zombie, 'two', 35);
    const taken = docAt(record(taker, taker, succeeded('by two')), place);
    for (const found of [taker, taken, null])
      for (const result of [succeeded('late'), failed(later(60)), failed(null)])
        expect(record(found, zombie, result)).toEqual({ writes: [], reply: { recorded: false } });
  });

  it('that was recorded unheard is not recorded twice', () => {
    const execution = running(null);
    for (const result of [succeeded(1), failed(later(60)), failed(null)]) {
      const recorded = after(result);
      expect(record(recorded, execution, result)).toEqual({
        writes: [],
        reply: { recorded: true },
      });
      expect(isRecorded(recorded, finishedRun(execution, result, later(1), keep))).toBe(true);
    }
  });
});

describe('reopening', () => {
  it('gives a failed task all its attempts again, as a new dispatch', () => {
    const decision = reopenTaskExecution({ execution: ended.failed }, command());
    const reopened = docAt(decision, place);
    expect(reopened).toMatchObject({
      state: 'WAITING',
      n: 1,
      attempts: 0,
      dead_letter_id: null,
      last_failure: { reason_code: 'dependency_unavailable' },
    });
    expect(decision.tasks).toMatchObject([
      { name: `run-provider-task/${ended.failed.task_execution_id}/1`, payload: { n: 1 } },
    ]);
    expect(running(reopened, 'again')).toMatchObject({ fence: 2, attempts: 0 });
  });

  it.each([
    ['is no longer known', null, /no longer kept/],
    ['succeeded', ended.succeeded, /succeeded on 2026/],
    ['is running', running(null), /running/],
    ['waits', after(failed(later(60))), /next at 2026-03-01T12:01:00/],
  ])('one that %s is a conflict', (_, execution, message) => {
    expect(errorOf(() => reopenTaskExecution({ execution }, command()))).toMatchObject({
      code: 'conflict',
      message: expect.stringMatching(message),
    });
  });
});

describe('what is shown of a provider task', () => {
  it('has neither the payload nor what the guard needs', () => {
    const view = taskExecutionView(after(failed(null)));
    expect(Object.keys(view).toSorted()).toEqual(Object.keys(TaskExecutionView.shape).toSorted());
    expect(JSON.stringify(view)).not.toContain('matrix');
    for (const hidden of ['payload', 'payload_hash', 'owner', 'fence', 'lease_until'])
      expect(view).not.toHaveProperty(hidden);
  });
});

type Step =
  | { readonly do: 'deliver'; readonly n: number }
  | { readonly do: 'finish'; readonly which: number; readonly result: keyof typeof comesTo }
  | { readonly do: 'pass'; readonly seconds: number };

const comesTo = {
  success: () => succeeded(1),
  retry: (seconds: number) => failed(later(seconds + 10)),
  defer: (seconds: number) => deferred(later(seconds + 10)),
  fail: () => failed(null),
};

/** Plays dispatches, each any number of times, and runs that end late or never; tells what is wrong. */
function play(steps: readonly Step[]) {
  let doc: TaskExecution | null = null;
  let seconds = 0;
  const runs: TaskExecution[] = [];
  const letters: string[] = [];
  const wrong: string[] = [];
  const check = (isRight: boolean, what: string) => void (isRight || wrong.push(what));

  function deliver(found: TaskExecution | null, given: number): TaskExecution | null {
    // Only what was enqueued can come.
    const n = Math.min(given, found?.n ?? 0);
    const claimed = claim(found, asked({ n }), by(`owner-${runs.length}`, seconds));
    if (claimed.kind !== 'run') return found;
    const { execution } = claimed;
    const isFree = found?.state !== 'RUNNING' || (found.lease_until ?? '') <= iso(seconds);
    check(isFree, 'two owners at a time');
    check(found?.state !== 'SUCCEEDED' && found?.state !== 'FAILED', 'a run after the end');
    check(!runs.some(({ fence }) => fence === execution.fence), 'two runs with one fence');
    runs.push(execution);
    return execution;
  }

  function finish(found: TaskExecution | null, run: TaskExecution, result: keyof typeof comesTo) {
    const decision = record(found, run, comesTo[result](seconds), later(seconds));
    const next = docAt(decision, place);
    if (!next) return found;
    check(run.fence === found?.fence, 'a zombie wrote');
    check(next.attempts >= (found?.attempts ?? 0), 'an attempt was forgotten');
    const goesOn = next.state === 'WAITING';
    check(
      (decision.tasks?.length ?? 0) === (goesOn ? 1 : 0),
      'not one dispatch for one that waits',
    );
    letters.push(...(decision.events ?? []).map(({ subject }) => subject));
    return next;
  }

  for (const step of steps) {
    const run = step.do === 'finish' ? runs[step.which % Math.max(1, runs.length)] : undefined;
    if (step.do === 'pass') seconds += step.seconds;
    else if (step.do === 'deliver') doc = deliver(doc, step.n);
    else if (run) doc = finish(doc, run, step.result);
  }
  return { doc, letters, wrong };
}

const iso = (seconds: number): string => later(seconds).toISOString();

describe('duplicates, crashes and zombies in any order', () => {
  const steps: fc.Arbitrary<Step[]> = fc.array(
    fc.oneof(
      { weight: 4, arbitrary: fc.record({ do: fc.constant('deliver'), n: fc.nat(5) }) },
      {
        weight: 4,
        arbitrary: fc.record({
          do: fc.constant('finish'),
          which: fc.nat(5),
          result: fc.constantFrom('success', 'retry', 'defer', 'fail'),
        }),
      },
      { weight: 2, arbitrary: fc.record({ do: fc.constant('pass'), seconds: fc.nat(60) }) },
    ),
    { maxLength: 60 },
  );

  it('leave one owner at a time, and one dead letter exactly where it failed', () => {
    fc.assert(
      fc.property(steps, (given) => {
        const { doc, letters, wrong } = play(given);
        expect(wrong).toEqual([]);
        expect(letters).toHaveLength(doc?.state === 'FAILED' ? 1 : 0);
      }),
    );
  });
});
