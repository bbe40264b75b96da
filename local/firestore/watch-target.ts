import { RpcError } from '../kernel/grpc.ts';
import type { Database } from './database.ts';
import { toWireDocument } from './document.ts';
import type { Change } from './documents.ts';
import type { FieldPath } from './field-path.ts';
import { parseQuery } from './query.ts';
import { fromWireTimestamp, type Micros, toWireTimestamp } from './timestamps.ts';
import { type Result, watchDocuments, type WatchedResult, watchQuery } from './watched-result.ts';
import type { WireTarget } from './wire.ts';

/** One thing a client listens to on a stream, and what it has been told of it. */
export interface WatchTarget {
  readonly isOnce: boolean;
  /** The messages up to CURRENT. */
  start(now: Micros): unknown[];
  /** What a commit changes for this target; nothing, mostly. */
  follow(changes: readonly Change[], at: Micros): unknown[];
}

/** A resume token is the time up to which the client knows everything. */
export const tokenOf = (micros: Micros): Buffer => {
  const token = Buffer.alloc(8);
  token.writeBigUInt64BE(BigInt(micros));
  return token;
};

const NOTHING: Result = new Map();

export function createTarget(
  database: Database,
  id: number,
  wire: WireTarget,
  databaseName: string | undefined,
): WatchTarget {
  const { documents, meter } = database;
  const names = wire.query ? undefined : (wire.documents?.documents ?? []);
  const { watched, mask } = names
    ? { watched: watchDocuments(documents, names, databaseName), mask: undefined }
    : watchedQuery(database, wire);
  let told = NOTHING;

  /** A removal is billed too, unless it is a deletion. */
  function differences(next: Result, at: Micros): unknown[] {
    const messages: unknown[] = [];
    const readTime = toWireTimestamp(at);
    for (const [name, document] of next) {
      if (told.get(name) === document) continue;
      messages.push({
        documentChange: { document: toWireDocument(document, mask), targetIds: [id] },
      });
      meter.count('reads');
    }
    for (const name of told.keys()) {
      if (next.has(name)) continue;
      const removal = { document: name, removedTargetIds: [id], readTime };
      if (documents.get(name)) {
        messages.push({ documentRemove: removal });
        meter.count('reads');
      } else {
        messages.push({ documentDelete: removal });
      }
    }
    told = next;
    return messages;
  }

  return {
    isOnce: wire.once ?? false,
    start(now) {
      const targetIds = [id];
      const readTime = toWireTimestamp(now);
      const messages: unknown[] = [{ targetChange: { targetChangeType: 'ADD', targetIds } }];
      const known = knownResult(watched, wire);
      if (known === 'forgotten') {
        messages.push({ targetChange: { targetChangeType: 'RESET', targetIds } });
      } else if (known) {
        told = known;
      }
      const isFresh = told === NOTHING;
      messages.push(...differences(watched.look(), now));
      if (isFresh) {
        for (const name of names ?? []) {
          if (told.has(name)) continue;
          meter.count('reads');
          messages.push({
            documentDelete: { document: name, removedTargetIds: targetIds, readTime },
          });
        }
        if (told.size === 0 && !names) meter.count('reads');
      }
      messages.push({
        targetChange: {
          targetChangeType: 'CURRENT',
          targetIds,
          readTime,
          resumeToken: tokenOf(now),
        },
      });
      return messages;
    },
    follow(changes, at) {
      const next = watched.follow(told, changes);
      return next === told ? [] : differences(next, at);
    },
  };
}

function watchedQuery(
  { documents, indexCheck }: Database,
  wire: WireTarget,
): { watched: WatchedResult; mask: readonly FieldPath[] | undefined } {
  const query = parseQuery(wire.query?.parent ?? '', wire.query?.structuredQuery);
  if (query.nearest) {
    throw new RpcError('INVALID_ARGUMENT', 'A vector search cannot be listened to.');
  }
  indexCheck.check(query);
  return { watched: watchQuery(documents, query), mask: query.select };
}

/** What a client that resumes knows already; `forgotten` when that is too long ago to tell. */
function knownResult(watched: WatchedResult, wire: WireTarget): Result | 'forgotten' | undefined {
  const { resumeToken, readTime } = wire;
  if (resumeToken?.length !== 8 && !readTime) return undefined;
  const since =
    resumeToken?.length === 8
      ? Number(Buffer.from(resumeToken).readBigUInt64BE())
      : fromWireTimestamp(readTime ?? {});
  try {
    return watched.look(since);
  } catch (error) {
    if (error instanceof RpcError) return 'forgotten';
    throw error;
  }
}
