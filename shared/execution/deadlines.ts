import type { ExecutionClock } from './ports.ts';

/** Something that has until a time. It is on one list at most. */
export interface Due {
  deadlineMs: number;
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
  readonly #notice: (nowMs: number, atLeastMs: number) => void;
  #first: Due | null = null;
  #last: Due | null = null;
  /** When the timer rings; it is left alone when a call ends early. */
  #armedMs = Number.POSITIVE_INFINITY;
  #timer: { cancel(): void } | undefined;

  /** @param notice told what the clock says when it must be at least so late */
  constructor(
    clock: ExecutionClock,
    notice: (nowMs: number, atLeastMs: number) => void = () => {},
  ) {
    this.#clock = clock;
    this.#notice = notice;
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

  /** The clock was set back: what is left of each time stays. */
  shift(byMs: number): void {
    for (let due = this.#first; due; due = due.dueAfter) due.deadlineMs -= byMs;
    if (this.#timer) this.#arm(this.#armedMs - byMs);
  }

  #arm(dueMs: number): void {
    this.#timer?.cancel();
    this.#armedMs = dueMs;
    this.#timer = this.#clock.at(dueMs, () => this.#ring());
  }

  #ring(): void {
    const armedMs = this.#armedMs;
    this.#armedMs = Number.POSITIVE_INFINITY;
    this.#timer = undefined;
    const nowMs = this.#clock.nowMs();
    this.#notice(nowMs, armedMs);
    const over: Due[] = [];
    for (let due = this.#first; due; due = due.dueAfter)
      if (due.deadlineMs <= nowMs) over.push(due);
    for (const due of over) this.remove(due);
    // Whatever one of them sets off may change the list.
    for (const due of over) due.expire();
    let nextMs = Number.POSITIVE_INFINITY;
    for (let due = this.#first; due; due = due.dueAfter) nextMs = Math.min(nextMs, due.deadlineMs);
    if (nextMs < this.#armedMs) this.#arm(nextMs);
  }
}
