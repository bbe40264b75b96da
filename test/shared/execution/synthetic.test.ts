import { describe, expect, it } from 'vitest';

import { ManualClock } from '../../../local/kernel/clock.ts';
import type { ProviderCall, ProviderTarget } from '../../../shared/execution/call.ts';
import type { Execution } from '../../../shared/execution/execution.ts';
import { REASON_CODES } from '../../../shared/execution/reasons.ts';
import { type SyntheticAnswer, SyntheticProvider } from '../../../shared/execution/synthetic.ts';
import type { JsonObject } from '../../../shared/execution/task-execution.ts';

/** One attempt, without the layer around it. */
async function attempted(payload: JsonObject, attempt = 1, clock = new ManualClock()) {
  const controller = new AbortController();
  const answers: number[] = [];
  const call: ProviderCall<JsonObject> = {
    tenantId: 'acme',
    campaignId: null,
    operation: 'echo',
    payload,
    correlationId: 'c',
    idempotencyKey: 'i',
    attempt,
    signal: controller.signal,
    remainingMs: 5_000,
    answered: (httpStatus) => void answers.push(httpStatus),
  };
  let target: ProviderTarget<JsonObject, SyntheticAnswer> | undefined;
  const execution = {
    run: async (given: typeof target) => void (target = given),
  } as unknown as Execution;
  await new SyntheticProvider({ execution, clock }).execute({
    tenantId: 'acme',
    campaignId: null,
    operation: 'echo',
    payload,
  });
  const { invoke, errorOf, ...key } = target as NonNullable<typeof target>;
  const state = { settled: false };
  const made = invoke(call).finally(() => (state.settled = true));
  // Looked at later: until then it is not unhandled.
  made.catch(() => undefined);
  return { made, answers, key, errorOf, state, abort: (why: Error) => controller.abort(why) };
}

const answerOf = async (payload: JsonObject, attempt?: number) =>
  (await attempted(payload, attempt)).made;

async function errorOf(payload: JsonObject, attempt?: number) {
  const { made, errorOf: mapped } = await attempted(payload, attempt);
  return made.then(
    () => {
      throw new Error('it succeeded');
    },
    (thrown: unknown) => mapped(thrown),
  );
}

describe('the synthetic provider', () => {
  it('is known by its name and capability, and tells its status', async () => {
    const { made, key, answers } = await attempted({ mode: 'succeed', echo: { list: [[1]] } }, 2);
    expect(await made).toEqual({ echo: { list: [[1]] }, attempt: 2 });
    expect(key).toEqual({ providerName: 'synthetic', capability: 'synthetic_call' });
    expect(answers).toEqual([200]);
  });

  it('echoes only what it is told to', async () => {
    expect(await answerOf({ mode: 'succeed', token: 'hush' })).toEqual({ echo: null, attempt: 1 });
  });

  it.each(REASON_CODES)('fails with %s, as it is told', async (reason) => {
    const error = await errorOf({ mode: 'fail', reason, http_status: 418, retry_after_ms: 1_500 });
    expect(error).toMatchObject({ reasonCode: reason, httpStatus: 418, retryAfterMs: 1_500 });
  });

  it('fails without a status or a pause, unless it is given one', async () => {
    expect(await errorOf({ mode: 'fail', reason: 'timeout' })).toMatchObject({
      httpStatus: null,
      retryAfterMs: null,
    });
  });

  it('fails a number of times, then succeeds, whichever instance makes the attempt', async () => {
    const payload = { mode: 'fail_times', times: 2, echo: 'at last' };
    for (const attempt of [1, 2])
      expect(await errorOf(payload, attempt)).toMatchObject({
        reasonCode: 'dependency_unavailable',
      });
    expect(await answerOf(payload, 3)).toEqual({ echo: 'at last', attempt: 3 });
  });

  it('is flaky at a rate, the same for the same seed', async () => {
    const failures = async (rate: number, seed: string) => {
      const outcomes: boolean[] = [];
      for (let attempt = 1; attempt <= 200; attempt++)
        outcomes.push(
          await answerOf({ mode: 'flaky', rate, seed }, attempt).then(
            () => false,
            () => true,
          ),
        );
      return outcomes;
    };
    const count = (outcomes: boolean[]) => outcomes.filter(Boolean).length;
    const some = await failures(0.3, 'a');
    expect(count(some)).toBeGreaterThan(40);
    expect(count(some)).toBeLessThan(80);
    expect(await failures(0.3, 'a')).toEqual(some);
    expect(await failures(0.3, 'b')).not.toEqual(some);
    expect([count(await failures(0, 'a')), count(await failures(1, 'a'))]).toEqual([0, 200]);
  });

  it('is slow by its clock', async () => {
    const clock = new ManualClock();
    const { made, state } = await attempted({ mode: 'slow', delay_ms: 300 }, 1, clock);
    await clock.advance(299);
    expect(state.settled).toBe(false);
    await clock.advance(1);
    expect(await made).toEqual({ echo: null, attempt: 1 });
  });

  it('stops being slow when it is told to', async () => {
    const { made, abort } = await attempted({ mode: 'slow', delay_ms: 300 });
    const why = new DOMException('enough', 'AbortError');
    abort(why);
    await expect(made).rejects.toBe(why);
  });

  it('hangs, and does not listen', async () => {
    const clock = new ManualClock();
    const { abort, state } = await attempted({ mode: 'hang' }, 1, clock);
    abort(new Error('enough'));
    await clock.advance(3_600_000);
    expect(state.settled).toBe(false);
  });

  it('answers garbage', async () => {
    expect(await errorOf({ mode: 'garbage' })).toMatchObject({ reasonCode: 'response_invalid' });
  });

  it('throws what nobody knows, and its text goes no further', async () => {
    const error = await errorOf({ mode: 'throw' });
    expect(error).toMatchObject({ reasonCode: 'internal_error' });
    expect(error.message).not.toMatch(/secret|hunter2|Bearer/);
  });

  it.each([
    [{}, /mode must be succeed, fail, fail_times, flaky, slow, hang, garbage, throw/],
    [{ mode: 'explode' }, /mode must be succeed, fail,/],
    [{ mode: 'fail', reason: 'whim' }, /reason: .*"timeout"/],
    [{ mode: 'fail' }, /reason/],
    [{ mode: 'slow', delay_ms: -1 }, /delay_ms/],
    [{ mode: 'flaky', rate: 2 }, /rate/],
  ])('refuses %j, saying what it takes and nothing of what it was given', async (given, told) => {
    const error = await errorOf({ ...given, token: 'hush' });
    expect(error).toMatchObject({ reasonCode: 'bad_request', retryable: false });
    expect(error.message).toMatch(told);
    expect(error.message).not.toMatch(/hush|explode|whim/);
  });
});
