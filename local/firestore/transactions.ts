import { randomBytes } from 'node:crypto';

import type { Clock, Timer } from '../kernel/clock.ts';
import { RpcError } from '../kernel/grpc.ts';
import type { StoredDocument } from './document.ts';
import type { LockOwner, Locks } from './locks.ts';
import { fromWireTimestamp, type Micros, type Timeline } from './timestamps.ts';
import type { ConsistencySelector, WireTransactionOptions } from './wire.ts';

const IDLE_MS_MAX = 60_000;
const TOTAL_MS_MAX = 270_000;

export interface Transaction extends LockOwner {
  readonly id: Buffer;
  /** Set on a read-only transaction: the state it sees. */
  readonly snapshot: Micros | undefined;
  /** Reads to repeat at commit: locks do not keep documents from joining a result, and may be lacking. */
  readonly observed: Observation[];
}

export interface Observation {
  readonly seen: readonly (StoredDocument | undefined)[];
  readonly lookAgain: () => readonly (StoredDocument | undefined)[];
}

/** How one read sees the database. */
export interface Reading {
  /** The read-write transaction to lock for. */
  readonly transaction: Transaction | undefined;
  /** Set when this read began a transaction: its id comes before the first result. */
  readonly begun: Buffer | undefined;
  /** Undefined for the present. */
  readonly snapshot: Micros | undefined;
}

export interface Transactions {
  begin(options?: WireTransactionOptions): Transaction;
  /** Refuses a transaction that has ended, expired or never was. */
  require(id: Uint8Array): Transaction;
  reading(selector: ConsistencySelector): Reading;
  isOpen(transaction: Transaction): boolean;
  end(transaction: Transaction): void;
  endAll(): void;
  find(id: Uint8Array): Transaction | undefined;
}

interface Entry {
  readonly transaction: Transaction;
  readonly beganMs: number;
  usedMs: number;
  timer: Timer;
}

export const transactionExpired = (): RpcError =>
  new RpcError('INVALID_ARGUMENT', 'The referenced transaction has expired or is no longer valid.');

export function createTransactions(clock: Clock, timeline: Timeline, locks: Locks): Transactions {
  const entries = new Map<string, Entry>();
  const keyOf = (id: Uint8Array) => Buffer.from(id).toString('base64');

  const expiryMs = ({ beganMs, usedMs }: Entry) =>
    Math.min(beganMs + TOTAL_MS_MAX, usedMs + IDLE_MS_MAX);

  function expireWhenDue(key: string): void {
    const entry = entries.get(key);
    if (!entry) return;
    if (clock.nowMs() >= expiryMs(entry)) end(entry.transaction);
    else entry.timer = clock.at(expiryMs(entry), () => expireWhenDue(key));
  }

  function begin(options: WireTransactionOptions = {}): Transaction {
    const id = randomBytes(16);
    const key = keyOf(id);
    const { readOnly, readWrite } = options;
    const transaction: Transaction = {
      id,
      snapshot: readOnly ? pastTime(readOnly.readTime) : undefined,
      observed: [],
      held: new Set(),
      isRetry: (readWrite?.retryTransaction?.length ?? 0) > 0,
    };
    const nowMs = clock.nowMs();
    const timer = clock.at(nowMs + IDLE_MS_MAX, () => expireWhenDue(key));
    entries.set(key, { transaction, beganMs: nowMs, usedMs: nowMs, timer });
    return transaction;
  }

  function pastTime(readTime: ConsistencySelector['readTime']): Micros {
    const present = timeline.read();
    if (!readTime) return present;
    const micros = fromWireTimestamp(readTime);
    if (micros > present) {
      throw new RpcError('INVALID_ARGUMENT', 'The read time cannot be in the future.');
    }
    return micros;
  }

  function end(transaction: Transaction): void {
    const key = keyOf(transaction.id);
    entries.get(key)?.timer.cancel();
    entries.delete(key);
    locks.release(transaction);
  }

  function find(id: Uint8Array): Transaction | undefined {
    const entry = entries.get(keyOf(id));
    if (!entry) return undefined;
    if (clock.nowMs() >= expiryMs(entry)) {
      end(entry.transaction);
      return undefined;
    }
    entry.usedMs = clock.nowMs();
    return entry.transaction;
  }

  function require(id: Uint8Array): Transaction {
    const transaction = find(id);
    if (!transaction) throw transactionExpired();
    return transaction;
  }

  return {
    begin,
    end,
    find,
    require,
    endAll() {
      for (const { transaction } of entries.values()) end(transaction);
    },
    isOpen: ({ id }) => entries.has(keyOf(id)),
    reading({ transaction: id, newTransaction, readTime }) {
      const begun = newTransaction ? begin(newTransaction) : undefined;
      const transaction = begun ?? (id?.length ? require(id) : undefined);
      if (!transaction) {
        const snapshot = readTime ? pastTime(readTime) : undefined;
        return { transaction, begun: undefined, snapshot };
      }
      const { snapshot } = transaction;
      return {
        transaction: snapshot === undefined ? transaction : undefined,
        begun: begun?.id,
        snapshot,
      };
    },
  };
}
