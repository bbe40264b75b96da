/**
 * Firestore (Native mode) over gRPC, for Google's unmodified client.
 *
 * Not imitated, answered with UNIMPLEMENTED: Write (the stream of phones and browsers),
 * ExecutePipeline, ListDocuments with missing documents in the past.
 * Not imitated, without an error: security rules and IAM, write-rate limits, the index of a long
 * string being cut at 1,500 bytes, and the bill for a `verify` write. Reads in the past reach back
 * 10,000 changes at most, and not beyond the last restart.
 */
import type { Clock } from '../kernel/clock.ts';
import type { Service } from '../kernel/grpc.ts';
import type { Journal } from '../kernel/journal.ts';
import type { Meter } from '../kernel/meter.ts';
import { batchGetDocuments } from './batch-get-documents.ts';
import { batchWrite } from './batch-write.ts';
import { beginTransaction } from './begin-transaction.ts';
import { commit } from './commit.ts';
import { createIndexCheck } from './composite-indexes.ts';
import { createDocument } from './create-document.ts';
import { deleteDocument } from './delete-document.ts';
import { partitionQuery } from './partition-query.ts';
import { updateDocument } from './update-document.ts';
import type { Database } from './database.ts';
import type { DocumentState, StoredDocument } from './document.ts';
import { createDocuments } from './documents.ts';
import { getDocument } from './get-document.ts';
import { listen } from './listen.ts';
import type { IndexDefinitions } from './index-definitions.ts';
import { listCollectionIds } from './list-collection-ids.ts';
import { listDocuments } from './list-documents.ts';
import { createLocks } from './locks.ts';
import { noLocks } from './no-locks.ts';
import { rollback } from './rollback.ts';
import { runAggregationQuery } from './run-aggregation-query.ts';
import { runQuery } from './run-query.ts';
import { createTimeline, type Micros } from './timestamps.ts';
import { sweepExpired } from './ttl.ts';
import { createTransactions } from './transactions.ts';

export type { IndexDefinitions } from './index-definitions.ts';
export type { StoredDocument } from './document.ts';

export type Concurrency = 'pessimistic' | 'optimistic';

/** All documents at one moment. */
interface Dump {
  readonly documents: ReadonlyMap<string, StoredDocument>;
}

interface Parts {
  readonly journal: Journal;
  readonly meter: Meter;
  readonly clock: Clock;
  /** `any`: no query is refused for want of an index, as by Google's emulator. */
  readonly indexes: IndexDefinitions | 'any';
  /**
   * Whether a transaction locks what it reads, the default of a database made for servers, or finds
   * out at its end that it was overtaken.
   */
  readonly concurrency?: Concurrency;
}

export interface Firestore extends Service {
  /** Every stored document by its full name, for tests to look at without paying for reads. */
  snapshot(): Map<string, StoredDocument>;
  /**
   * Ends every open transaction and frees its locks, as a minute without use would: for tests that
   * kill a process in the midst of one.
   */
  endTransactions(): void;
  dump(): Dump;
  /**
   * Brings back the documents of a dump, times included, as one commit that nobody pays for; open
   * transactions end. Costs time by what differs. The dump stays good.
   */
  restore(dump: Dump): void;
}

export function createFirestore({
  journal,
  meter,
  clock,
  indexes,
  concurrency = 'pessimistic',
}: Parts): Firestore {
  const documents = createDocuments(
    journal.table<DocumentState>('firestore.documents'),
    journal.table<Micros>('firestore.times'),
  );
  const timeline = createTimeline(clock, documents.lastCommitTime);
  const locks = concurrency === 'optimistic' ? noLocks() : createLocks(clock);
  const transactions = createTransactions(clock, timeline, locks);
  const database: Database = {
    documents,
    timeline,
    locks,
    transactions,
    indexCheck: createIndexCheck(indexes),
    meter,
    journal,
  };
  const stopSweeping = sweepExpired(database, clock, indexes);
  const snapshot = () => new Map([...documents.all()].map((document) => [document.name, document]));
  return {
    package: '@google-cloud/firestore-api',
    name: 'google.firestore.v1.Firestore',
    unary: {
      BatchWrite: batchWrite(database),
      BeginTransaction: beginTransaction(database),
      Commit: commit(database),
      GetDocument: getDocument(database),
      ListCollectionIds: listCollectionIds(database),
      ListDocuments: listDocuments(database),
      CreateDocument: createDocument(database),
      DeleteDocument: deleteDocument(database),
      PartitionQuery: partitionQuery(database),
      UpdateDocument: updateDocument(database),
      Rollback: rollback(database),
    },
    serverStream: {
      BatchGetDocuments: batchGetDocuments(database),
      RunAggregationQuery: runAggregationQuery(database),
      RunQuery: runQuery(database),
    },
    duplex: { Listen: listen(database) },
    endTransactions: () => transactions.endAll(),
    snapshot,
    dump: () => ({ documents: snapshot() }),
    restore({ documents: kept }) {
      transactions.endAll();
      const changes = new Map<string, StoredDocument | undefined>(kept);
      for (const { name } of documents.all()) if (!kept.has(name)) changes.set(name, undefined);
      for (const { updateTime } of kept.values()) timeline.passBy(updateTime);
      documents.apply(changes, timeline.commit());
    },
    close: stopSweeping,
  };
}
