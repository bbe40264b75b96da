import type { ExecutionClock } from './ports.ts';

/** Something that has until a time. It is on one list at most. */
export interface Due {
  readonly deadlineMs: number;
  expire(): void;
  /** The list's own. */
  dueBefore: Due | null;
  dueAfter: Due | null;
}

/**
 * Ends what outlives its time. One timer serves all: most calls end long before their deadline, and a
 * timer for each would cost more than the rest of the call.
 */
export class Deadlines {
  readonly #clock: ExecutionClock;
  #first: Due | null = null;
  #last: Due | null = null;
  /** When the timer rings; it is left alone when a call ends early. */
  #armedMs = Number.POSITIVE_INFINITY;
  #timer: { cancel(): void } | undefined;

  constructor(clock: ExecutionClock) {
    this.#clock = clock;
  }

  add(due: Due): void {
    due.dueBefore = this.#last;
    due.dueAfter = null;
    if (this.#last) this.#last.dueAfter = due;
    else this.#first = due;
    this.#last = due;
    if (due.deadlineMs < this.#armedMs) this.#arm(due.deadlineMs);
  }

  remove(due: Due): void {
    if (due.dueBefore) due.dueBefore.dueAfter = due.dueAfter;
    else if (this.#first === due) this.#first = due.dueAfter;
    else return;
    if (due.dueAfter) due.dueAfter.dueBefore = due.dueBefore;
    else this.#last = due.dueBefore;
    due.dueBefore = null;
    due.dueAfter = null;
  }

  #arm(dueMs: number): void {
    this.#timer?.cancel();
    this.#armedMs = dueMs;
    this.#timer = this.#clock.at(dueMs, () => this.#ring());
  }

  #ring(): void {
    this.#armedMs = Number.POSITIVE_INFINITY;
    this.#timer = undefined;
    const nowMs = this.#clock.nowMs();
    let nextMs = Number.POSITIVE_INFINITY;
    for (let due = this.#first; due;) {
      const after: Due | null = due.dueAfter;
      if (due.deadlineMs <= nowMs) {
        this.remove(due);
        due.expire();
      } else nextMs = Math.min(nextMs, due.deadlineMs);
      due = after;
    }
    if (nextMs < this.#armedMs) this.#arm(nextMs);
  }
}
