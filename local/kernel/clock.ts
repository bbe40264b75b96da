/** A timer that can be withdrawn before it fires. Cancelling twice is harmless. */
export interface Timer {
  cancel(): void;
}

/** The embedded cloud's only source of time. Everything is in milliseconds since the Unix epoch. */
export interface Clock {
  nowMs(): number;
  /** Runs `fire` once `nowMs()` has reached `dueMs`; a time already past fires on the next turn. */
  at(dueMs: number, fire: () => void): Timer;
  /** Moves time forward by `ms` and fires what became due, earliest first. */
  advance(ms: number): Promise<void>;
}

interface Pending {
  readonly dueMs: number;
  readonly fire: () => void;
}

/** Lets the callbacks of one fired timer run their first asynchronous steps before the next fires. */
const settle = () => new Promise<void>((done) => setImmediate(done));

/** Time that stands still until it is moved: for tests. */
export class ManualClock implements Clock {
  #nowMs: number;
  readonly #pending = new Set<Pending>();

  constructor(startMs: number = Date.UTC(2026, 0, 15, 10, 0, 0)) {
    this.#nowMs = startMs;
  }

  nowMs(): number {
    return this.#nowMs;
  }

  at(dueMs: number, fire: () => void): Timer {
    const pending = { dueMs, fire };
    this.#pending.add(pending);
    if (dueMs <= this.#nowMs) setImmediate(() => this.#fire(pending));
    return { cancel: () => void this.#pending.delete(pending) };
  }

  async advance(ms: number): Promise<void> {
    const targetMs = this.#nowMs + ms;
    for (;;) {
      const next = [...this.#pending].sort((a, b) => a.dueMs - b.dueMs)[0];
      if (!next || next.dueMs > targetMs) break;
      this.#nowMs = Math.max(this.#nowMs, next.dueMs);
      this.#fire(next);
      await settle();
    }
    this.#nowMs = targetMs;
    await settle();
  }

  #fire(pending: Pending): void {
    if (this.#pending.delete(pending)) pending.fire();
  }
}

/** The longest delay Node's timers take; a longer wait is re-armed. */
const TIMER_MS_MAX = 2 ** 31 - 1;

/** Wall-clock time, which may be moved forward: for `npm start`. */
export class SystemClock implements Clock {
  #offsetMs = 0;
  readonly #armed = new Map<Pending, NodeJS.Timeout>();

  nowMs(): number {
    return Date.now() + this.#offsetMs;
  }

  at(dueMs: number, fire: () => void): Timer {
    const pending = { dueMs, fire };
    this.#arm(pending);
    return { cancel: () => this.#disarm(pending) };
  }

  async advance(ms: number): Promise<void> {
    this.#offsetMs += ms;
    for (const pending of [...this.#armed.keys()].sort((a, b) => a.dueMs - b.dueMs)) {
      this.#disarm(pending);
      this.#arm(pending);
    }
    await settle();
  }

  #arm(pending: Pending): void {
    const delayMs = Math.min(TIMER_MS_MAX, Math.max(0, pending.dueMs - this.nowMs()));
    const timeout = setTimeout(() => {
      this.#armed.delete(pending);
      if (this.nowMs() >= pending.dueMs) pending.fire();
      else this.#arm(pending);
    }, delayMs);
    timeout.unref();
    this.#armed.set(pending, timeout);
  }

  #disarm(pending: Pending): void {
    clearTimeout(this.#armed.get(pending));
    this.#armed.delete(pending);
  }
}
