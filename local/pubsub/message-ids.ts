import type { Journal, Table } from '../kernel/journal.ts';

/** Ids all have as many digits, so that they sort in order of publication. */
const FIRST = 1_000_000_000_000_000;
/** Ids reserved by one write; a restart skips those that are left of them. */
const BLOCK = 1000;

/** Hands out message ids that never repeat, not even after a crash. */
export class MessageIds {
  readonly #table: Table<number>;
  #next: number;
  #reservedBelow: number;

  constructor(journal: Journal) {
    this.#table = journal.table<number>('pubsub.message-ids');
    this.#next = this.#table.load()[0]?.[1] ?? FIRST;
    this.#reservedBelow = this.#next;
  }

  /** What `next()` will return at the earliest: every id given so far is less. */
  get upcoming(): string {
    return String(this.#next);
  }

  next(): string {
    if (this.#next >= this.#reservedBelow) {
      this.#reservedBelow = this.#next + BLOCK;
      this.#table.put('reserved-below', this.#reservedBelow);
    }
    return String(this.#next++);
  }
}
