import { USD_PER } from './prices.ts';

/** What Google would bill, counted exactly. Firestore counts as its price list does: an empty query is one read. */
export interface Usage {
  reads: number;
  writes: number;
  deletes: number;
  tasks: number;
  messages: number;
  /** Volume published and delivered, each request at least 1,000 bytes. */
  messageBytes: number;
  kmsOperations: number;
  /** Calls per RPC, by its short name: `{ Commit: 3, CreateTask: 1 }`. */
  rpcs: Record<string, number>;
}

const zero = (): Usage => ({
  reads: 0,
  writes: 0,
  deletes: 0,
  tasks: 0,
  messages: 0,
  messageBytes: 0,
  kmsOperations: 0,
  rpcs: {},
});

/** What a usage costs. */
export interface Cost {
  /** US dollars in all. */
  readonly usd: number;
  /** US dollars by what is billed. */
  readonly by: Readonly<Record<keyof typeof USD_PER, number>>;
}

/** Prices a usage by the table in `prices.ts`. */
export function costOf(usage: Usage): Cost {
  const by = {
    reads: usage.reads * USD_PER.reads,
    writes: usage.writes * USD_PER.writes,
    deletes: usage.deletes * USD_PER.deletes,
    tasks: usage.tasks * USD_PER.tasks,
    messageBytes: usage.messageBytes * USD_PER.messageBytes,
    kmsOperations: usage.kmsOperations * USD_PER.kmsOperations,
  };
  return { usd: Object.values(by).reduce((sum, usd) => sum + usd, 0), by };
}

type Countable = Exclude<keyof Usage, 'rpcs'>;

/** Counts billable operations of every product of one embedded cloud. */
export class Meter {
  #usage = zero();

  count(what: Countable, n = 1): void {
    this.#usage[what] += n;
  }

  countRpc(name: string): void {
    this.#usage.rpcs[name] = (this.#usage.rpcs[name] ?? 0) + 1;
  }

  /** The usage so far, as a copy. */
  read(): Usage {
    return structuredClone(this.#usage);
  }

  /** What the usage so far would cost. */
  cost(): Cost {
    return costOf(this.#usage);
  }

  /** Forgets everything counted so far. */
  reset(): void {
    this.#usage = zero();
  }

  /** Runs `work` and returns what it alone cost; nothing else may run meanwhile. */
  async measure<T>(work: () => Promise<T>): Promise<{ result: T; usage: Usage; cost: Cost }> {
    this.reset();
    const result = await work();
    return { result, usage: this.read(), cost: this.cost() };
  }
}
