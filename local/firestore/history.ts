import { RpcError } from '../kernel/grpc.ts';
import type { StoredDocument } from './document.ts';
import type { Micros } from './timestamps.ts';

/** How many superseded versions are kept for reads in the past. */
const VERSIONS_MAX = 10_000;

interface Change {
  readonly at: Micros;
  readonly name: string;
  readonly before: StoredDocument | undefined;
}

/** The recent past, as what each change replaced. */
export interface History {
  record(change: Change): void;
  /** What has to be undone to see the state at `readTime`: each changed document as it was then. */
  undoneSince(readTime: Micros): ReadonlyMap<string, StoredDocument | undefined>;
}

export function createHistory(startMicros: Micros): History {
  let changes: Change[] = [];
  let horizon = startMicros;
  return {
    record(change) {
      changes.push(change);
      if (changes.length < 2 * VERSIONS_MAX) return;
      horizon = changes.at(-VERSIONS_MAX - 1)?.at ?? horizon;
      changes = changes.slice(-VERSIONS_MAX);
    },
    undoneSince(readTime) {
      if (readTime < horizon) {
        throw new RpcError('FAILED_PRECONDITION', 'The requested snapshot version is too old.');
      }
      const undone = new Map<string, StoredDocument | undefined>();
      for (let i = changes.length - 1; i >= 0; i--) {
        const change = changes[i];
        if (!change || change.at <= readTime) break;
        undone.set(change.name, change.before);
      }
      return undone;
    },
  };
}
