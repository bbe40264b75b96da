/** A place in a `DueQueue`. */
export interface DueEntry<Item> {
  readonly dueMs: number;
  readonly item: Item;
}

interface Slot<Item> extends DueEntry<Item> {
  readonly order: number;
  withdrawn: boolean;
}

/** Items by the time they are due, those of one time in order of arrival. A binary heap. */
export class DueQueue<Item> {
  #slots: Slot<Item>[] = [];
  #order = 0;

  add(dueMs: number, item: Item): DueEntry<Item> {
    const slot = { dueMs, item, order: this.#order++, withdrawn: false };
    this.#slots.push(slot);
    this.#rise(this.#slots.length - 1);
    return slot;
  }

  /** Takes an entry out of turn. Harmless when it has left already. */
  withdraw(entry: DueEntry<Item> | undefined): void {
    if (entry) (entry as Slot<Item>).withdrawn = true;
  }

  /** The earliest entry, which stays. */
  first(): DueEntry<Item> | undefined {
    while (this.#slots[0]?.withdrawn) this.#dropFirst();
    return this.#slots[0];
  }

  /** Removes and returns the earliest item that is due at `nowMs`. */
  take(nowMs: number): Item | undefined {
    const first = this.first();
    if (!first || first.dueMs > nowMs) return undefined;
    this.#dropFirst();
    return first.item;
  }

  #dropFirst(): void {
    const last = this.#slots.pop();
    if (!last || this.#slots.length === 0) return;
    this.#slots[0] = last;
    this.#sink(0);
  }

  #before(a: number, b: number): boolean {
    const left = this.#slots[a];
    const right = this.#slots[b];
    if (!left || !right) return left !== undefined;
    return left.dueMs < right.dueMs || (left.dueMs === right.dueMs && left.order < right.order);
  }

  #swap(a: number, b: number): void {
    const left = this.#slots[a];
    const right = this.#slots[b];
    if (!left || !right) return;
    this.#slots[a] = right;
    this.#slots[b] = left;
  }

  #rise(index: number): void {
    for (let child = index; child > 0;) {
      const parent = (child - 1) >> 1;
      if (!this.#before(child, parent)) return;
      this.#swap(child, parent);
      child = parent;
    }
  }

  #sink(index: number): void {
    for (let parent = index; ;) {
      const left = 2 * parent + 1;
      const child = this.#before(left + 1, left) ? left + 1 : left;
      if (!this.#before(child, parent)) return;
      this.#swap(child, parent);
      parent = child;
    }
  }
}
