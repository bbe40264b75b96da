import { status } from '@grpc/grpc-js';

import { RpcError, type Unary } from '../kernel/grpc.ts';
import type { Database } from './database.ts';
import { toWireTimestamp } from './timestamps.ts';
import type { WireWrite } from './wire.ts';
import { writeOne } from './write-one.ts';
import type { WriteResult } from './writes.ts';

interface BatchWriteRequest {
  readonly database?: string;
  readonly writes?: readonly WireWrite[];
}

interface Outcome {
  readonly result: WriteResult;
  readonly status: { readonly code: number; readonly message?: string };
}

/** Many independent writes: each succeeds or fails by itself. */
export function batchWrite(database: Database): Unary<BatchWriteRequest> {
  async function outcomeOf(wire: WireWrite, databaseName: string | undefined): Promise<Outcome> {
    try {
      const result = await writeOne(database, wire, databaseName);
      // What a deletion answers.
      const deleted = { updateTime: toWireTimestamp(0) };
      return { result: { ...deleted, ...result }, status: { code: status.OK } };
    } catch (error) {
      if (!(error instanceof RpcError)) throw error;
      return { result: {}, status: { code: error.code, message: error.details } };
    }
  }

  return async ({ database: databaseName, writes = [] }) => {
    const names = writes.map(({ update, delete: deleted }) => update?.name ?? deleted);
    if (new Set(names).size < names.length) {
      throw new RpcError(
        'INVALID_ARGUMENT',
        'Cannot write to the same document more than once in a BatchWrite request.',
      );
    }
    const outcomes = await Promise.all(writes.map((write) => outcomeOf(write, databaseName)));
    return {
      writeResults: outcomes.map(({ result }) => result),
      status: outcomes.map((outcome) => outcome.status),
    };
  };
}
