import { getEventListeners } from 'node:events';

import { afterEach, describe, expect, it, vi } from 'vitest';

import { ManualClock } from '../../../local/kernel/clock.ts';
import type { ProviderExecutionContext } from '../../../shared/execution/call.ts';
import { ENDED, RunningCall } from '../../../shared/execution/running-call.ts';

const BUDGET_MS = 5_000;

function begin(context?: ProviderExecutionContext) {
  const clock = new ManualClock();
  const timers = { armed: 0 };
  const watched = {
    nowMs: () => clock.nowMs(),
    at: (dueMs: number, fire: () => void) => {
      timers.armed++;
      const timer = clock.at(dueMs, () => {
        timers.armed--;
        fire();
      });
      return {
        cancel: () => {
          timers.armed--;
          timer.cancel();
        },
      };
    },
  };
  const request = {
    tenantId: 'acme',
    campaignId: 'rfq_1',
    operation: 'list_costs',
    payload: { page: 2 },
    ...(context && { context }),
  };
  let made = 0;
  const call = new RunningCall(request, 1, clock.nowMs() + BUDGET_MS, watched, () => {
    made++;
    return 'cor_made';
  });
  return { clock, timers, call, idsMade: () => made };
}

/** What a promise has come to so far. */
async function outcomeOf(promise: Promise<unknown>): Promise<unknown> {
  const pending = Symbol('pending');
  const settled = promise.then(
    (value) => ({ value }),
    (error: unknown) => ({ error }),
  );
  await new Promise((done) => setImmediate(done));
  const outcome = await Promise.race([settled, Promise.resolve(pending)]);
  return outcome === pending ? 'pending' : outcome;
}

afterEach(() => {
  vi.unstubAllGlobals();
});

describe('a call under way', () => {
  it('shows what it was asked', () => {
    expect(begin().call).toMatchObject({
      tenantId: 'acme',
      campaignId: 'rfq_1',
      operation: 'list_costs',
      payload: { page: 2 },
      attempt: 1,
      httpStatus: null,
    });
  });

  it('keeps the ids that it was given, and makes none', () => {
    const { call, idsMade } = begin({ correlationId: 'c', idempotencyKey: 'k' });
    expect([call.correlationId, call.idempotencyKey, idsMade()]).toEqual(['c', 'k', 0]);
  });

  it.each([
    [{ correlationId: 'c' }, 'c', 'c'],
    [{ idempotencyKey: 'k' }, 'cor_made', 'k'],
    [{}, 'cor_made', 'cor_made'],
    [undefined, 'cor_made', 'cor_made'],
  ])('makes the ids that it was not given: %j', (context, correlationId, idempotencyKey) => {
    const { call } = begin(context);
    expect([call.correlationId, call.idempotencyKey]).toEqual([correlationId, idempotencyKey]);
  });

  it('knows what is left of its budget, which is never less than nothing', async () => {
    const { call, clock } = begin();
    expect(call.remainingMs).toBe(BUDGET_MS);
    await clock.advance(1_250);
    expect(call.remainingMs).toBe(3_750);
    await clock.advance(60_000);
    expect(call.remainingMs).toBe(0);
  });

  it('notes what the provider answered', () => {
    const { call } = begin();
    call.answered(204);
    expect(call.httpStatus).toBe(204);
  });
});

describe('its signal', () => {
  it('is made when it is asked for, and then the same', () => {
    let made = 0;
    const Real = AbortController;
    vi.stubGlobal(
      'AbortController',
      class extends Real {
        constructor() {
          super();
          made++;
        }
      },
    );
    const { call } = begin();
    call.expire();
    call.release();
    expect(made).toBe(0);
    const { call: other } = begin();
    expect(other.signal).toBe(other.signal);
    expect(made).toBe(1);
  });

  it.each([
    ['timeout', 'TimeoutError', /time budget/],
    ['cancelled', 'AbortError', /cancelled/],
  ] as const)('is aborted with a reason when the call ends by %s', (why, name, message) => {
    const { call } = begin();
    const { signal } = call;
    expect(signal.aborted).toBe(false);
    call.end(why);
    expect(signal.aborted).toBe(true);
    expect(signal.reason).toBeInstanceOf(DOMException);
    expect(signal.reason).toMatchObject({ name, message: expect.stringMatching(message) });
  });

  it('that is first asked for after the end is aborted already', () => {
    const { call } = begin();
    call.expire();
    expect(call.signal.aborted).toBe(true);
    expect(call.signal.reason).toMatchObject({ name: 'TimeoutError' });
  });

  it('keeps the first reason: a late deadline makes no timeout of a cancelled call', () => {
    const { call } = begin();
    const { signal } = call;
    call.end('cancelled');
    call.expire();
    expect([call.ended, call.isCancelled]).toEqual(['cancelled', true]);
    expect(signal.reason).toMatchObject({ name: 'AbortError' });
  });

  it('does not follow a caller who cancels too late', () => {
    const { call } = begin();
    call.expire();
    call.end('cancelled');
    expect([call.ended, call.isCancelled]).toEqual(['timeout', false]);
  });
});

describe("the caller's signal", () => {
  it('cancels the call', () => {
    const caller = new AbortController();
    const { call } = begin();
    const { signal } = call;
    call.endWith(caller.signal);
    caller.abort(new Error('the reason of the caller'));
    expect(call.isCancelled).toBe(true);
    // What the provider sees is ours: the caller's reason is none of its business.
    expect(signal.reason).toMatchObject({ name: 'AbortError' });
  });

  it('is let go when the call is over, so that a signal of long life gathers no listeners', () => {
    const caller = new AbortController();
    for (let i = 0; i < 100; i++) {
      const { call } = begin();
      call.endWith(caller.signal);
      expect(getEventListeners(caller.signal, 'abort')).toHaveLength(1);
      call.release();
      expect(getEventListeners(caller.signal, 'abort')).toHaveLength(0);
    }
  });

  it('does nothing to a call that is over', () => {
    const caller = new AbortController();
    const { call } = begin();
    call.endWith(caller.signal);
    call.release();
    caller.abort();
    expect(call.ended).toBeNull();
    expect(call.signal.aborted).toBe(false);
  });

  it('is not needed', () => {
    const { call } = begin();
    call.release();
    expect(call.ended).toBeNull();
  });
});

describe('waiting for an attempt', () => {
  it('ends with what the attempt ends with', async () => {
    const { call } = begin();
    expect(await call.race(Promise.resolve('ok'))).toBe('ok');
    await expect(call.race(Promise.reject(new Error('down')))).rejects.toThrow('down');
  });

  it.each(['timeout', 'cancelled'] as const)(
    'ends at once by %s, and what comes later is ignored',
    async (why) => {
      const { call } = begin();
      const attempt = Promise.withResolvers<string>();
      const waiting = call.race(attempt.promise);
      expect(await outcomeOf(waiting)).toBe('pending');
      call.end(why);
      expect(await outcomeOf(waiting)).toEqual({ error: ENDED });
      // An unhandled rejection would fail the run.
      attempt.reject(new Error('much later'));
      expect(await outcomeOf(waiting)).toEqual({ error: ENDED });
    },
  );
});

describe('a pause between two attempts', () => {
  it('is over in time, and true', async () => {
    const { call, clock, timers } = begin();
    const paused = call.pause(1_000);
    await clock.advance(999);
    expect(await outcomeOf(paused)).toBe('pending');
    await clock.advance(1);
    expect(await outcomeOf(paused)).toEqual({ value: true });
    expect(timers.armed).toBe(0);
  });

  it.each(['timeout', 'cancelled'] as const)(
    'case 29: ends without the clock moving by %s, is false and leaves no timer',
    async (why) => {
      const { call, timers } = begin();
      const paused = call.pause(1_000);
      expect(timers.armed).toBe(1);
      call.end(why);
      expect(await outcomeOf(paused)).toEqual({ value: false });
      expect(timers.armed).toBe(0);
    },
  );

  it('of a call that has ended is none', async () => {
    const { call, timers } = begin();
    call.expire();
    expect(await outcomeOf(call.pause(1_000))).toEqual({ value: false });
    expect(await outcomeOf(call.pause(0))).toEqual({ value: false });
    expect(timers.armed).toBe(0);
  });

  it.each([0, -5])('case 35: of %i ms needs no timer', async (ms) => {
    const { call, timers } = begin();
    expect(await outcomeOf(call.pause(ms))).toEqual({ value: true });
    expect(timers.armed).toBe(0);
  });

  it('that is over is not ended by what ends the call afterwards', async () => {
    const { call, clock } = begin();
    const paused = call.pause(1_000);
    await clock.advance(1_000);
    expect(call.onEnd).toBeNull();
    call.end('cancelled');
    expect(await outcomeOf(paused)).toEqual({ value: true });
  });
});
