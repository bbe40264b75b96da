import type { Journal } from '../kernel/journal.ts';
import type { Meter } from '../kernel/meter.ts';
import type { IndexCheck } from './composite-indexes.ts';
import type { Documents } from './documents.ts';
import type { Locks } from './locks.ts';
import type { Timeline } from './timestamps.ts';
import type { Transactions } from './transactions.ts';

/** What the RPCs share. */
export interface Database {
  readonly documents: Documents;
  readonly timeline: Timeline;
  readonly locks: Locks;
  readonly transactions: Transactions;
  readonly indexCheck: IndexCheck;
  readonly meter: Meter;
  readonly journal: Journal;
}
