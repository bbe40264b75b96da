import type { Clock, Timer } from './clock.ts';

/** One timer that can be set again and again: a product wakes for its earliest work only. */
export class Alarm {
  readonly #clock: Clock;
  readonly #ring: () => void;
  #set: { dueMs: number; timer: Timer } | undefined;

  constructor(clock: Clock, ring: () => void) {
    this.#clock = clock;
    this.#ring = ring;
  }

  /** Rings at `dueMs` instead of whenever it was to ring before; `undefined` silences it. */
  set(dueMs: number | undefined): void {
    if (this.#set?.dueMs === dueMs) return;
    this.#set?.timer.cancel();
    this.#set = undefined;
    if (dueMs === undefined) return;
    const timer = this.#clock.at(dueMs, () => {
      this.#set = undefined;
      this.#ring();
    });
    this.#set = { dueMs, timer };
  }

  /** Its time has come, but it has not rung yet. */
  get isDue(): boolean {
    return this.#set !== undefined && this.#set.dueMs <= this.#clock.nowMs();
  }
}
