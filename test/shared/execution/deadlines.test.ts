import fc from 'fast-check';
import { describe, expect, it } from 'vitest';

import { ManualClock } from '../../../local/kernel/clock.ts';
import { Deadlines, type Due } from '../../../shared/execution/deadlines.ts';
import type { ExecutionClock } from '../../../shared/execution/ports.ts';

/** A clock that knows how many of its timers are armed, and how many ever were. */
class WatchedClock implements ExecutionClock {
  readonly manual = new ManualClock(0);
  armed = 0;
  made = 0;
  #backMs = 0;

  nowMs(): number {
    return this.manual.nowMs() - this.#backMs;
  }

  /** Somebody corrects it. Timers that are armed ring when they would have. */
  setBack(ms: number): void {
    this.#backMs += ms;
  }

  at(dueMs: number, fire: () => void): { cancel(): void } {
    this.armed++;
    this.made++;
    let isArmed = true;
    const disarm = () => {
      if (isArmed) this.armed--;
      isArmed = false;
    };
    const timer = this.manual.at(dueMs + this.#backMs, () => {
      disarm();
      fire();
    });
    return {
      cancel: () => {
        disarm();
        timer.cancel();
      },
    };
  }
}

class Ticket implements Due {
  readonly deadlineMs: number;
  /** When it was told that its time is up. */
  readonly expiredAtMs: number[] = [];
  dueBefore: Due | null = null;
  dueAfter: Due | null = null;
  onExpire: () => void = () => undefined;
  readonly #clock: ExecutionClock;

  constructor(deadlineMs: number, clock: ExecutionClock) {
    this.deadlineMs = deadlineMs;
    this.#clock = clock;
  }

  expire(): void {
    this.expiredAtMs.push(this.#clock.nowMs());
    this.onExpire();
  }
}

function open() {
  const clock = new WatchedClock();
  const deadlines = new Deadlines(clock);
  const add = (deadlineMs: number): Ticket => {
    const ticket = new Ticket(deadlineMs, clock);
    deadlines.add(ticket);
    return ticket;
  };
  return { clock, deadlines, add };
}

describe('a deadline', () => {
  it('ends what outlives it, at its time and once', async () => {
    const { clock, add } = open();
    const ticket = add(1_000);
    await clock.manual.advance(999);
    expect(ticket.expiredAtMs).toEqual([]);
    await clock.manual.advance(1);
    expect(ticket.expiredAtMs).toEqual([1_000]);
    await clock.manual.advance(60_000);
    expect(ticket.expiredAtMs).toEqual([1_000]);
  });

  it('that has passed already ends it on the next turn', async () => {
    const { clock, add } = open();
    await clock.manual.advance(5_000);
    const ticket = add(4_000);
    expect(ticket.expiredAtMs).toEqual([]);
    await clock.manual.advance(0);
    expect(ticket.expiredAtMs).toEqual([5_000]);
  });

  it('leaves alone what ended before it', async () => {
    const { clock, deadlines, add } = open();
    const [first, second, third] = [add(1_000), add(1_000), add(1_000)];
    deadlines.remove(second);
    await clock.manual.advance(1_000);
    expect([first, second, third].map(({ expiredAtMs }) => expiredAtMs)).toEqual([
      [1_000],
      [],
      [1_000],
    ]);
  });

  it('is forgotten once, and harmlessly twice or when it never was there', async () => {
    const { clock, deadlines, add } = open();
    const [first, second] = [add(1_000), add(2_000)];
    deadlines.remove(first);
    deadlines.remove(first);
    deadlines.remove(new Ticket(500, clock));
    await clock.manual.advance(3_000);
    expect([first.expiredAtMs, second.expiredAtMs]).toEqual([[], [2_000]]);
    deadlines.remove(second);
  });

  it('may be added again after it was removed', async () => {
    const { clock, deadlines, add } = open();
    const ticket = add(1_000);
    add(1_500);
    deadlines.remove(ticket);
    deadlines.add(ticket);
    await clock.manual.advance(2_000);
    expect(ticket.expiredAtMs).toEqual([1_000]);
  });

  it('that ends one thing may begin another, due at once or later', async () => {
    const { clock, add } = open();
    const first = add(1_000);
    const begun: Ticket[] = [];
    first.onExpire = () => begun.push(add(1_000), add(1_700));
    const last = add(2_000);
    await clock.manual.advance(3_000);
    expect([...begun, last].map(({ expiredAtMs }) => expiredAtMs)).toEqual([
      [1_000],
      [1_700],
      [2_000],
    ]);
  });

  it('may end what sets off the end of others, and none of the rest is forgotten', async () => {
    const { clock, deadlines, add } = open();
    const first = add(1_000);
    const [next, alsoDue, later] = [add(1_000), add(1_000), add(2_000)];
    // As a call that ends cancels those that it had made itself.
    first.onExpire = () => {
      deadlines.remove(next);
      deadlines.remove(later);
    };
    const last = add(3_000);
    await clock.manual.advance(5_000);
    expect([alsoDue, later, last].map(({ expiredAtMs }) => expiredAtMs)).toEqual([
      [1_000],
      [],
      [3_000],
    ]);
    expect(clock.armed).toBe(0);
  });

  it('of many in any order holds for exactly those that are still there, to the millisecond', async () => {
    const moves = fc.array(
      fc.oneof(
        fc.record({ add: fc.integer({ min: 0, max: 50 }) }),
        fc.record({ remove: fc.nat() }),
        fc.record({ pass: fc.integer({ min: 0, max: 20 }) }),
      ),
      { maxLength: 40 },
    );
    await fc.assert(
      fc.asyncProperty(moves, async (script) => {
        const { clock, deadlines, add } = open();
        const known = new Map<Ticket, { addedMs: number; removed: boolean }>();
        for (const move of script) {
          if ('add' in move)
            known.set(add(clock.nowMs() + move.add), { addedMs: clock.nowMs(), removed: false });
          else if ('pass' in move) await clock.manual.advance(move.pass);
          else {
            const [ticket, state] = [...known][move.remove % Math.max(1, known.size)] ?? [];
            if (!ticket || !state) continue;
            deadlines.remove(ticket);
            state.removed ||= ticket.expiredAtMs.length === 0;
          }
        }
        await clock.manual.advance(100);
        for (const [{ deadlineMs, expiredAtMs }, { removed }] of known)
          expect(expiredAtMs).toEqual(removed ? [] : [deadlineMs]);
        expect(clock.armed).toBe(0);
      }),
      { numRuns: 60 },
    );
  });

  it('of many holds for exactly those that are left, whatever the ends of some do to others', async () => {
    const plans = fc.array(
      fc.record({
        deadlineMs: fc.integer({ min: 1, max: 20 }),
        // Of the others, by their places.
        ends: fc.array(fc.nat({ max: 19 }), { maxLength: 4 }),
      }),
      { minLength: 2, maxLength: 20 },
    );
    await fc.assert(
      fc.asyncProperty(plans, async (plan) => {
        const { clock, deadlines, add } = open();
        const tickets = plan.map(({ deadlineMs }) => add(deadlineMs));
        const ended = new Set<Ticket>();
        for (const [index, ticket] of tickets.entries())
          ticket.onExpire = () => {
            for (const place of plan[index]?.ends ?? []) {
              const other = tickets[place];
              // Of those that are due together, each is told.
              if (!other || other.deadlineMs <= ticket.deadlineMs) continue;
              deadlines.remove(other);
              ended.add(other);
            }
          };
        await clock.manual.advance(100);
        for (const ticket of tickets)
          expect(ticket.expiredAtMs).toEqual(ended.has(ticket) ? [] : [ticket.deadlineMs]);
        expect(clock.armed).toBe(0);
      }),
    );
  });
});

describe('the timer', () => {
  it('is one for all', async () => {
    const { clock, deadlines, add } = open();
    const tickets = Array.from({ length: 100 }, (_, index) => add(1_000 + index));
    expect([clock.armed, clock.made]).toEqual([1, 1]);
    for (const ticket of tickets) deadlines.remove(ticket);
    for (let i = 0; i < 100; i++) deadlines.remove(add(1_000 + i));
    expect([clock.armed, clock.made]).toEqual([1, 1]);
  });

  it('is set anew for what is due before it, and for what remains when it rang', async () => {
    const { clock, add } = open();
    add(3_000);
    add(1_000);
    expect([clock.armed, clock.made]).toEqual([1, 2]);
    add(2_000);
    expect([clock.armed, clock.made]).toEqual([1, 2]);
    await clock.manual.advance(1_000);
    expect([clock.armed, clock.made]).toEqual([1, 3]);
    await clock.manual.advance(2_000);
    expect([clock.armed, clock.made]).toEqual([0, 4]);
  });

  it('rings once at most for calls that ended before their time, and is not set again', async () => {
    const { clock, deadlines, add } = open();
    for (let i = 0; i < 10; i++) deadlines.remove(add(1_000 + i));
    expect(clock.armed).toBe(1);
    await clock.manual.advance(1_000);
    expect(clock.armed).toBe(0);
    await clock.manual.advance(3_600_000);
    expect([clock.armed, clock.made]).toEqual([0, 1]);
    const late = add(clock.nowMs() + 10);
    await clock.manual.advance(10);
    expect(late.expiredAtMs).toEqual([clock.nowMs()]);
  });

  it('rings once in a while, not for each call, where calls come and go', async () => {
    const { clock, deadlines, add } = open();
    for (let i = 0; i < 1_000; i++) {
      const ticket = add(clock.nowMs() + 10_000);
      await clock.manual.advance(10);
      deadlines.remove(ticket);
    }
    // Ten seconds of calls with a budget of ten seconds.
    expect(clock.made).toBeLessThanOrEqual(3);
  });
});

describe('a clock that is set back', () => {
  it('leaves each what was left of its time', async () => {
    const { clock, deadlines, add } = open();
    await clock.manual.advance(100_000);
    const [soon, late] = [add(101_000), add(105_000)];
    clock.setBack(90_000);
    deadlines.shift(90_000);
    await clock.manual.advance(999);
    expect(soon.expiredAtMs).toEqual([]);
    await clock.manual.advance(1);
    expect(soon.expiredAtMs).toEqual([11_000]);
    await clock.manual.advance(4_000);
    expect(late.expiredAtMs).toEqual([15_000]);
    expect(clock.armed).toBe(0);
  });

  it('is noticed by the timer at the latest, which ends what is then over', async () => {
    const clock = new WatchedClock();
    const noticed: number[][] = [];
    const deadlines = new Deadlines(clock, (nowMs, atLeastMs) => {
      noticed.push([nowMs, atLeastMs]);
      deadlines.shift(atLeastMs - nowMs);
    });
    const ticket = new Ticket(1_000, clock);
    deadlines.add(ticket);
    clock.setBack(5_000);
    await clock.manual.advance(1_000);
    expect(noticed).toEqual([[-4_000, 1_000]]);
    expect(ticket.expiredAtMs).toEqual([-4_000]);
  });

  it('arms no timer where there was none, and leaves one where there was', () => {
    const { clock, deadlines, add } = open();
    deadlines.shift(1_000);
    expect(clock.armed).toBe(0);
    add(5_000);
    deadlines.shift(1_000);
    expect(clock.armed).toBe(1);
  });
});
