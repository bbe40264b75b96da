import type { Unary } from '../kernel/grpc.ts';
import type { Database } from './database.ts';
import type { WireTransactionOptions } from './wire.ts';

interface BeginTransactionRequest {
  readonly options?: WireTransactionOptions;
}

/** Google's client does not call this: it begins a transaction with its first read. */
export const beginTransaction =
  ({ transactions }: Database): Unary<BeginTransactionRequest> =>
  (request) => ({ transaction: transactions.begin(request.options).id });
