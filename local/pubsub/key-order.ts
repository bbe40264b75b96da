/** Per ordering key, what is not yet acknowledged, oldest first: only the oldest may be delivered. */
export class KeyOrder<Item> {
  readonly #lines = new Map<string, Item[]>();

  /** Queues up behind the others of the key. */
  join(key: string, item: Item): void {
    const line = this.#lines.get(key);
    if (line) line.push(item);
    else this.#lines.set(key, [item]);
  }

  isFirst(key: string, item: Item): boolean {
    return this.#lines.get(key)?.[0] === item;
  }

  /** Leaves the line; returns who is first now. */
  leave(key: string, item: Item): Item | undefined {
    const line = this.#lines.get(key) ?? [];
    const index = line.indexOf(item);
    if (index >= 0) line.splice(index, 1);
    if (line.length === 0) this.#lines.delete(key);
    return line[0];
  }
}
