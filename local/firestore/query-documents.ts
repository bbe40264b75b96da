import type { Database } from './database.ts';
import type { Query } from './query.ts';
import { type QueryResult, runQuery } from './query-plan.ts';
import type { Reading } from './transactions.ts';

/** Runs the query again until it finds only what is locked, and remembers it for the commit. */
export async function queryDocuments(
  { documents, locks }: Database,
  query: Query,
  { transaction, snapshot }: Reading,
): Promise<QueryResult> {
  const look = () => runQuery(documents, query, snapshot);
  let result = look();
  if (!transaction) return result;
  const namesOf = ({ found }: QueryResult) => found.map(({ name }) => name);
  do {
    await locks.share(transaction, namesOf(result));
    result = look();
  } while (!namesOf(result).every((name) => transaction.held.has(name)));
  transaction.observed.push({ seen: result.found, lookAgain: () => look().found });
  return result;
}
