import type { ExecutionStore } from '../../../../shared/execution/ports.ts';
import type { Ref } from '../../../../shared/store/collection.ts';
import type { Docs, Write } from '../../../../shared/store/decision.ts';

/** What may go wrong with one transaction: `lost` commits and then fails, as a lost acknowledgement. */
export type StoreFault = 'unavailable' | 'lost' | null;

/** A store of its own, that counts what is billed. Transactions are serial; each takes a turn. */
export class MemoryStore implements ExecutionStore {
  readonly docs = new Map<string, unknown>();
  reads = 0;
  writes = 0;
  /** Asked before each exchange. */
  fault: () => StoreFault = () => null;
  /** Each exchange waits for it. */
  held: Promise<void> = Promise.resolve();
  readonly #now: () => number;
  #tail: Promise<unknown> = Promise.resolve();

  constructor(now: () => number) {
    this.#now = now;
  }

  /** Documents of one collection. */
  all<Doc>(collection: string): Doc[] {
    return [...this.docs].flatMap(([path, doc]) =>
      path.startsWith(`${collection}/`) ? [structuredClone(doc) as Doc] : [],
    );
  }

  get<Doc>(ref: Ref<Doc>): Promise<Doc | null> {
    return this.#inTurn(() => {
      this.reads++;
      return this.#read(ref);
    });
  }

  revise<R extends Record<string, Ref<unknown>>, Reply>(
    refs: R,
    revise: (docs: Docs<R>, readAt: Date) => { writes: readonly Write[]; reply: Reply },
  ): Promise<Reply> {
    return this.#inTurn(() => {
      this.reads += Object.keys(refs).length;
      const docs = Object.fromEntries(
        Object.entries(refs).map(([name, ref]) => [name, this.#read(ref)]),
      ) as Docs<R>;
      const { writes, reply } = revise(docs, new Date(this.#now()));
      this.#apply(writes);
      return reply;
    });
  }

  write(writes: readonly Write[]): Promise<void> {
    return this.#inTurn(() => this.#apply(writes));
  }

  /** Reads and writes that `work` costs. */
  async cost(work: () => Promise<unknown>): Promise<{ reads: number; writes: number }> {
    const before = { reads: this.reads, writes: this.writes };
    await work();
    return { reads: this.reads - before.reads, writes: this.writes - before.writes };
  }

  #read<Doc>(ref: Ref<Doc>): Doc | null {
    const doc = this.docs.get(ref.path);
    return doc === undefined ? null : structuredClone(doc as Doc);
  }

  #apply(writes: readonly Write[]): void {
    this.writes += writes.length;
    for (const write of writes)
      if (write.kind === 'remove') this.docs.delete(write.ref.path);
      else
        this.docs.set(
          write.ref.path,
          write.ref.collection.schema.parse(structuredClone(write.doc)),
        );
  }

  async #inTurn<T>(work: () => T): Promise<T> {
    const turn = this.#tail.then(async () => {
      await this.held;
      const fault = this.fault();
      if (fault === 'unavailable') throw new Error('the store cannot be reached');
      const done = work();
      if (fault === 'lost') throw new Error('the acknowledgement was lost');
      return done;
    });
    this.#tail = turn.catch(() => undefined);
    return turn;
  }
}
