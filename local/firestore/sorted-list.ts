/** A block is split once it exceeds this; shifting so few entries costs less than a comparison or two. */
const BLOCK_LENGTH_MAX = 256;

/**
 * Distinct items in order, kept as a list of short sorted blocks: inserting, removing and seeking
 * stay logarithmic however many items there are, without the pointers of a tree.
 */
export class SortedList<Item> {
  readonly #compare: (a: Item, b: Item) => number;
  readonly #blocks: Item[][] = [];
  #size = 0;

  /** @param compare a total order in which no two items are equal */
  constructor(compare: (a: Item, b: Item) => number) {
    this.#compare = compare;
  }

  get size(): number {
    return this.#size;
  }

  insert(item: Item): void {
    const isBefore = (other: Item) => this.#compare(other, item) < 0;
    const at = Math.min(this.#blockIndex(isBefore), this.#blocks.length - 1);
    const block = this.#blocks[at];
    this.#size++;
    if (block === undefined) {
      this.#blocks.push([item]);
      return;
    }
    block.splice(partitionPoint(block, isBefore), 0, item);
    if (block.length > BLOCK_LENGTH_MAX) {
      this.#blocks.splice(at + 1, 0, block.splice(BLOCK_LENGTH_MAX / 2));
    }
  }

  /** Returns whether the item was there. */
  remove(item: Item): boolean {
    const isBefore = (other: Item) => this.#compare(other, item) < 0;
    const at = this.#blockIndex(isBefore);
    const block = this.#blocks[at];
    if (block === undefined) return false;
    const index = partitionPoint(block, isBefore);
    const found = block[index];
    if (found === undefined || this.#compare(found, item) !== 0) return false;
    block.splice(index, 1);
    if (block.length === 0) this.#blocks.splice(at, 1);
    this.#size--;
    return true;
  }

  /** Yields the items in order from the first that is not before; `isBefore` must hold for a prefix only. */
  *scan(isBefore: (item: Item) => boolean = () => false): Generator<Item, void> {
    const first = this.#blockIndex(isBefore);
    for (let at = first; at < this.#blocks.length; at++) {
      const block = this.#blocks[at] ?? [];
      const start = at === first ? partitionPoint(block, isBefore) : 0;
      for (let i = start; i < block.length; i++) yield block[i] as Item;
    }
  }

  /** The first block whose last item is not before. */
  #blockIndex(isBefore: (item: Item) => boolean): number {
    return partitionPoint(this.#blocks, (block) => isBefore(block.at(-1) as Item));
  }
}

/** The length of the prefix for which the predicate holds. */
function partitionPoint<T>(items: readonly T[], holds: (item: T) => boolean): number {
  let low = 0;
  let high = items.length;
  while (low < high) {
    const middle = (low + high) >>> 1;
    if (holds(items[middle] as T)) low = middle + 1;
    else high = middle;
  }
  return low;
}
