import { Alarm } from '../kernel/alarm.ts';
import type { Clock } from '../kernel/clock.ts';
import type { Database } from './database.ts';
import { documentValue, type StoredDocument } from './document.ts';
import type { IndexShape } from './document-index.ts';
import { type FieldPath, NAME_PATH, parseFieldPath } from './field-path.ts';
import type { IndexDefinitions } from './index-definitions.ts';
import { lastSegment, parentOf } from './resource-names.ts';
import { fromWireTimestamp, toWireTimestamp } from './timestamps.ts';
import { typeRank } from './value-order.ts';
import { ofMicros } from './values.ts';
import { writeOne } from './write-one.ts';

/**
 * How long an expired document stays at most. In production that is typically 24 hours; what matters
 * is that it does stay.
 */
const SWEEP_DELAY_MS = 3_600_000;

interface Policy {
  readonly collectionId: string;
  readonly path: FieldPath;
  readonly shape: IndexShape;
}

const TIMESTAMP_RANK = typeRank(ofMicros(0));

/**
 * Deletes the documents whose timestamp in a field with `ttl` has passed: all that have expired, an
 * hour after the earliest of them has. Returns what ends this.
 */
export function sweepExpired(
  database: Database,
  clock: Clock,
  definitions: IndexDefinitions | 'any',
): () => void {
  const policies = definitions === 'any' ? [] : policiesOf(definitions);
  if (policies.length === 0) return () => {};
  const { documents } = database;
  const collectionIds = new Set(policies.map(({ collectionId }) => collectionId));

  /** Earliest first, those without a timestamp left out. */
  function* byExpiry({ collectionId, path, shape }: Policy) {
    const group = documents.indexes({ kind: 'group', collectionId }).index(shape).group('');
    const rankOf = (document: StoredDocument) => {
      const value = documentValue(document, path);
      return value ? typeRank(value) : 0;
    };
    for (const document of group?.scan((one) => rankOf(one) < TIMESTAMP_RANK) ?? []) {
      const value = documentValue(document, path);
      if (value?.valueType !== 'timestampValue') return;
      yield { document, expiresMs: fromWireTimestamp(value.timestampValue) / 1000 };
    }
  }

  /** When the next sweep is due; infinity while nothing will ever expire. */
  let sweepMs = Number.POSITIVE_INFINITY;
  let isStopped = false;

  function planSweep(): void {
    if (isStopped) return;
    for (const policy of policies) {
      const first = byExpiry(policy).next();
      if (first.done) continue;
      const expiresMs = Math.max(first.value.expiresMs, clock.nowMs());
      sweepMs = Math.min(sweepMs, expiresMs + SWEEP_DELAY_MS);
    }
    alarm.set(Number.isFinite(sweepMs) ? sweepMs : undefined);
  }

  async function sweep(): Promise<void> {
    sweepMs = Number.POSITIVE_INFINITY;
    const expired: StoredDocument[] = [];
    for (const policy of policies) {
      for (const { document, expiresMs } of byExpiry(policy)) {
        if (expiresMs > clock.nowMs()) break;
        expired.push(document);
      }
    }
    // One that a transaction holds for too long, or that changes meanwhile, is for the next sweep.
    await Promise.allSettled(expired.map(remove));
    planSweep();
  }

  const remove = ({ name, updateTime }: StoredDocument) =>
    writeOne(database, {
      operation: 'delete',
      delete: name,
      currentDocument: { updateTime: toWireTimestamp(updateTime) },
    });

  const alarm = new Alarm(clock, () => void sweep());
  const stopFollowing = documents.onCommit((changes) => {
    const isRelevant = ({ name }: { name: string }) =>
      collectionIds.has(lastSegment(parentOf(name)));
    if (changes.some(isRelevant)) planSweep();
  });
  planSweep();
  return () => {
    isStopped = true;
    stopFollowing();
    alarm.set(undefined);
  };
}

function policiesOf({ fieldOverrides = [] }: IndexDefinitions): Policy[] {
  return fieldOverrides
    .filter(({ ttl }) => ttl)
    .map(({ collectionGroup, fieldPath }) => {
      const path = parseFieldPath(fieldPath);
      const orders = [path, NAME_PATH].map((one) => ({ path: one, descending: false }));
      return { collectionId: collectionGroup, path, shape: { equal: [], orders } };
    });
}
