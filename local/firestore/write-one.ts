import { applyCommit } from './apply-commit.ts';
import type { Database } from './database.ts';
import type { WireWrite } from './wire.ts';
import { parseWrites, type WriteResult } from './writes.ts';

/** Applies a single write outside any transaction, once no transaction holds the document. */
export async function writeOne(
  database: Database,
  wire: WireWrite,
  databaseName?: string,
): Promise<WriteResult | undefined> {
  const writes = parseWrites([wire], databaseName);
  const names = writes.map(({ name }) => name);
  const { writeResults } = await database.locks.exclude(undefined, names, () =>
    applyCommit(database, writes),
  );
  return writeResults[0];
}
