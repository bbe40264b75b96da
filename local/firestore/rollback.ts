import type { Unary } from '../kernel/grpc.ts';
import type { Database } from './database.ts';

interface RollbackRequest {
  readonly transaction?: Uint8Array;
}

/** Gives a transaction up; one that has ended already is no error. */
export const rollback =
  ({ transactions }: Database): Unary<RollbackRequest> =>
  (request) => {
    const transaction = transactions.find(request.transaction ?? Buffer.alloc(0));
    if (transaction) transactions.end(transaction);
    return {};
  };
