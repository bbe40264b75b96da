import type { ProviderAnswer } from '../execution/classify.ts';
import type { Execution } from '../execution/execution.ts';
import type { ExecutionClock } from '../execution/ports.ts';
import type { Collection, Ref } from '../store/collection.ts';
import type { Command, Docs, DomainEvent, Rule, TaskRequest, Write } from '../store/decision.ts';
import type { Config } from './config.ts';
import type { Log } from './log.ts';

/** A command as the runtime makes it. `keyed` commands have an id that a retry will bring again. */
export interface IssuedCommand extends Command {
  readonly keyed: boolean;
}

export interface Applied<Reply> {
  readonly reply: Reply;
  /** True when an earlier call had applied the command: what it created is not new to the caller. */
  readonly replayed: boolean;
}

interface Filter {
  readonly field: string;
  readonly op: '==' | '<' | '<=' | '>' | '>=' | 'in' | 'array-contains' | 'array-contains-any';
  readonly value: unknown;
}

export interface Query<Doc> {
  readonly collection: Collection<Doc>;
  /** Ids for the `*` of the collection's path. */
  readonly parents?: readonly string[];
  readonly where?: readonly Filter[];
  /** Beside `where`, all filters of at least one of these lists must hold. */
  readonly anyOf?: readonly (readonly Filter[])[];
  /** Defaults to the document id, ascending; the id always breaks ties. */
  readonly orderBy?: { readonly field: string; readonly descending?: boolean };
  readonly limit: number;
  /** Opaque, from an earlier page of the same query. */
  readonly cursor?: string | undefined;
  /** Instead of a cursor, for a query in id order: the id after which to begin. */
  readonly afterId?: string | undefined;
}

export interface Page<Doc> {
  readonly docs: readonly Doc[];
  /** Of `docs`, in the same order. */
  readonly ids: readonly string[];
  readonly nextCursor: string | null;
}

type Refs = Record<string, Ref<unknown>>;

export interface Store {
  get<Doc>(ref: Ref<Doc>): Promise<Doc | null>;
  /** Reads all of `refs` in one round trip. */
  getAll<R extends Refs>(refs: R): Promise<Docs<R>>;
  query<Doc>(query: Query<Doc>): Promise<Page<Doc>>;
  /** Counts matches on the server: one read per 1,000. Counts no further than `upTo`. */
  count<Doc>(
    query: Pick<Query<Doc>, 'collection' | 'parents' | 'where'> & { readonly upTo?: number },
  ): Promise<number>;
  /**
   * Runs `rule` over the documents of `refs` and commits what it decides, exactly once per command
   * id. Events and tasks are handed on before this resolves, or by the relay if that fails.
   *
   * @throws {AppError} what the rule throws; `unavailable` when the outcome could not be reached.
   */
  apply<R extends Refs, Reply, Given extends IssuedCommand>(
    command: Given,
    refs: R,
    rule: Rule<R, Reply, Given>,
  ): Promise<Applied<Reply>>;
  /** A pure append: false when the document was there already. No transaction, one write. */
  append<Doc>(ref: Ref<Doc>, doc: Doc): Promise<boolean>;
  /**
   * A read-modify-write for state where a double application does no harm: leases and counters that
   * may only err on the safe side. Neither command record nor outbox.
   *
   * @param revise `readAt` is the store's own clock at the read
   */
  revise<R extends Refs, Reply>(
    refs: R,
    revise: (docs: Docs<R>, readAt: Date) => { writes: readonly Write[]; reply: Reply },
  ): Promise<Reply>;
  /** Writes that need no reading, in one commit; safe only where repeating them is. */
  write(writes: readonly Write[]): Promise<void>;
}

/** Hands on what commits left in the outbox. */
export interface Outbox {
  /**
   * Publishes and enqueues entries older than `minAgeMs`, beginning after the entry `after`, until all
   * were looked at or `budgetMs` have passed. `next` is where the next run begins; null for the start.
   */
  relay(run: {
    readonly minAgeMs: number;
    readonly budgetMs: number;
    readonly after: string | null;
  }): Promise<{ relayed: number; left: number; next: string | null }>;
}

export interface Effects {
  publish(events: readonly PublishedEvent[]): Promise<void>;
  enqueue(tasks: readonly TaskRequest[]): Promise<void>;
}

/** An event ready for the wire. */
export interface PublishedEvent {
  readonly topic: DomainEvent['topic'];
  readonly attributes: Readonly<Record<string, string>>;
  readonly envelope: Readonly<Record<string, unknown>>;
}

/** Seals small secrets under a shared data key that KMS wraps. `aad` must be given again to open. */
export interface Vault {
  seal(plaintext: string, aad: string): Promise<string>;
  open(sealed: string, aad: string): Promise<string>;
}

export interface OutboundRequest {
  readonly url: string;
  readonly method: 'GET' | 'POST';
  readonly headers?: Readonly<Record<string, string>>;
  readonly body?: string;
  /** The whole call, connecting and reading included. */
  readonly timeoutMs: number;
  /** Gives the call up before that. */
  readonly signal?: AbortSignal;
  /** Bytes of the answer that are read at most, 64 KiB by default; 0 asks for status and headers only. */
  readonly responseBytesMax?: number;
}

export interface Outbound {
  /** Never throws for what the other side does. Follows no redirect. */
  request(request: OutboundRequest): Promise<ProviderAnswer>;
}

/** Everything a handler may reach outside itself. */
export interface Services {
  readonly config: Config;
  readonly now: () => Date;
  /** The same time, with timers: for waits within one invocation. */
  readonly clock: ExecutionClock;
  readonly randomBytes: (size: number) => Uint8Array;
  readonly store: Store;
  readonly outbox: Outbox;
  readonly effects: Effects;
  readonly vault: Vault;
  readonly outbound: Outbound;
  /** Every call of a provider goes through it. */
  readonly execution: Execution;
  readonly log: Log;
}

let source: (() => Services) | undefined;
let current: Services | undefined;

/** Called once by the composition root (functions/main.ts); again by a test that starts another host. */
export function provide(create: () => Services): void {
  source = create;
  current = undefined;
}

/** The services of this instance, made on first use. */
export function services(): Services {
  if (!source) throw new Error('No services were provided; functions/main.ts does that.');
  current ??= source();
  return current;
}
