import { RpcError, type Unary } from '../kernel/grpc.ts';
import { applyCommit } from './apply-commit.ts';
import type { Database } from './database.ts';
import { withoutRepetition } from './repeated-writes.ts';
import { toWireTimestamp } from './timestamps.ts';
import { type Observation, type Transaction, transactionExpired } from './transactions.ts';
import type { WireWrite } from './wire.ts';
import { parseWrites } from './writes.ts';

interface CommitRequest {
  readonly database?: string;
  readonly writes?: readonly WireWrite[];
  readonly transaction?: Uint8Array;
}

/** Waits until no transaction holds a document to be written, then applies all or nothing. A transaction ends here. */
export function commit(database: Database): Unary<CommitRequest> {
  const { locks, transactions } = database;
  return async (request) => {
    const transaction = request.transaction?.length
      ? transactions.require(request.transaction)
      : undefined;
    try {
      const writes = withoutRepetition(parseWrites(request.writes, request.database));
      if (transaction?.snapshot !== undefined && writes.length > 0) {
        throw new RpcError(
          'INVALID_ARGUMENT',
          'Cannot modify entities in a read-only transaction.',
        );
      }
      const names = [...new Set(writes.map(({ name }) => name))];
      const { writeResults, commitTime } = await locks.exclude(transaction, names, () => {
        if (transaction) checkStillValid(database, transaction);
        return applyCommit(database, writes);
      });
      return { writeResults, commitTime: toWireTimestamp(commitTime) };
    } finally {
      if (transaction) transactions.end(transaction);
    }
  };
}

function checkStillValid({ transactions }: Database, transaction: Transaction): void {
  if (!transactions.isOpen(transaction)) throw transactionExpired();
  if (!transaction.observed.every(isUnchanged)) {
    throw new RpcError('ABORTED', 'Too much contention on these documents. Please try again.');
  }
}

function isUnchanged({ seen, lookAgain }: Observation): boolean {
  const now = lookAgain();
  return now.length === seen.length && now.every((document, i) => document === seen[i]);
}
