import type { Ref } from '../store/collection.ts';
import type { Docs, Write } from '../store/decision.ts';

/** A timer that can be withdrawn before it fires. Cancelling twice is harmless. */
interface Timer {
  cancel(): void;
}

/** Wall-clock time in milliseconds since 1970, and timers on it. Tests move it. */
export interface ExecutionClock {
  nowMs(): number;
  at(dueMs: number, fire: () => void): Timer;
}

type Refs = Record<string, Ref<unknown>>;

/** What the execution layer needs of the store. */
export interface ExecutionStore {
  get<Doc>(ref: Ref<Doc>): Promise<Doc | null>;
  /**
   * A read-modify-write in one transaction. `revise` may run more than once, and a commit whose
   * acknowledgement was lost may run it again: it must then decide nothing new.
   *
   * @param revise `readAt` is the store's own clock at the read
   */
  revise<R extends Refs, Reply>(
    refs: R,
    revise: (docs: Docs<R>, readAt: Date) => { writes: readonly Write[]; reply: Reply },
  ): Promise<Reply>;
  write(writes: readonly Write[]): Promise<void>;
}
