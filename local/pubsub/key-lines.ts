import type { Consumer, Outstanding } from './outstanding.ts';

/** What is unacknowledged of one ordering key, oldest first. The first `out` are being delivered. */
interface Line {
  readonly items: Outstanding[];
  out: number;
  /** Who has the delivered ones: only it may get the next before those are acknowledged. */
  owner: Consumer | undefined;
}

/**
 * The order of messages per key. A key belongs to one delivery or one stream at a time; a message that
 * fails takes all later ones of its key back with it, acknowledged or not, as production does.
 */
export class KeyLines {
  readonly #lines = new Map<string, Line>();
  readonly #owned = new Map<Consumer, Set<Line>>();

  /** Queues up behind the others of its key. */
  join(item: Outstanding): void {
    const line = this.#lineOf(item);
    if (line) line.items.push(item);
    else this.#lines.set(item.message.orderingKey, { items: [item], out: 0, owner: undefined });
  }

  /** Whether nothing of its key stands before it. */
  isFirst(item: Outstanding): boolean {
    const line = this.#lineOf(item);
    return line?.out === 0 && line.items[0] === item;
  }

  /** Whether all earlier ones of its key are done. */
  isOldest(item: Outstanding): boolean {
    return this.#lineOf(item)?.items[0] === item;
  }

  /** The next of the key that may follow to the same taker. */
  following(item: Outstanding): Outstanding | undefined {
    const line = this.#lineOf(item);
    return line?.items[line.out];
  }

  /** What waits in the lines of a stream, one of each. */
  waitingFor(owner: Consumer): Outstanding[] {
    return [...(this.#owned.get(owner) ?? [])].flatMap((line) => line.items[line.out] ?? []);
  }

  /** The item, next of its line, is being delivered. */
  lend(item: Outstanding, owner: Consumer | undefined): void {
    const line = this.#lineOf(item);
    if (!line) return;
    line.out++;
    line.owner = owner;
    if (!owner) return;
    const owned = this.#owned.get(owner) ?? new Set();
    this.#owned.set(owner, owned.add(line));
  }

  /** The item is done; returns who is first now, if that one waits or is done as well. */
  leave(item: Outstanding): Outstanding | undefined {
    const line = this.#lineOf(item);
    const index = line?.items.indexOf(item) ?? -1;
    if (!line || index < 0) return undefined;
    line.items.splice(index, 1);
    if (index < line.out) this.#shrink(line, line.out - 1);
    if (line.items.length === 0) this.#lines.delete(item.message.orderingKey);
    const first = line.items[0];
    return line.out === 0 || first?.isAcked ? first : undefined;
  }

  /** The item's delivery failed; returns the later ones that were being delivered too. */
  fail(item: Outstanding): Outstanding[] {
    const line = this.#lineOf(item);
    const index = line?.items.indexOf(item) ?? -1;
    if (!line || index < 0 || index >= line.out) return [];
    const later = line.items.slice(index + 1, line.out);
    this.#shrink(line, index);
    return later;
  }

  /** The stream is gone; what it has stays lent until acknowledged or run out. */
  disown(owner: Consumer): void {
    for (const line of this.#owned.get(owner) ?? []) line.owner = undefined;
    this.#owned.delete(owner);
  }

  #lineOf(item: Outstanding): Line | undefined {
    return this.#lines.get(item.message.orderingKey);
  }

  #shrink(line: Line, out: number): void {
    line.out = out;
    if (out > 0 || !line.owner) return;
    this.#owned.get(line.owner)?.delete(line);
    line.owner = undefined;
  }
}
