import { randomUUID } from 'node:crypto';
import type {
  DocumentReference,
  DocumentSnapshot,
  Firestore,
  Query as FirestoreQuery,
  Transaction,
} from '@google-cloud/firestore';
import { z } from 'zod';

import { AppError } from '../errors.ts';
import { sha256Hex } from '../canonical-json.ts';
import type { Log } from '../runtime/log.ts';
import type { Applied, Effects, IssuedCommand, Query, Store } from '../runtime/services.ts';
import { type Ref, collection, pathIn, ref } from '../store/collection.ts';
import type { Docs, Rule, Write } from '../store/decision.ts';
import type { Clients } from './clients.ts';
import { decode, encode } from './codec.ts';
import { cursorOf, valuesOf } from '../runtime/cursor.ts';
import { asOutage, isGrpc, reached } from './outage.ts';
import { type OutboxEntry, handOn, outboxEntries, outboxEntry } from './outbox.ts';

type Refs = Record<string, Ref<unknown>>;

/** Proof that a command was applied, with what it answered. Deleted by TTL after `expire_at`. */
const CommandRecord = z.object({
  reply: z.string(),
  /** The call that applied it: it recognises its own commit when the acknowledgement was lost. */
  run_id: z.string(),
  expire_at: z.date(),
});
const commandRecords = collection('commands', CommandRecord);
const COMMAND_RECORD_MS = 24 * 3_600_000;

/** gRPC's ALREADY_EXISTS. */
const ALREADY_EXISTS = 6;
const TRANSACTION_ATTEMPTS_MAX = 5;

export interface GoogleStore extends Store {
  listOutbox(limit: number, after: string | undefined): Promise<{ id: string; doc: OutboxEntry }[]>;
}

export function createStore(clients: Clients, effects: Effects, log: Log): GoogleStore {
  const place = (db: Firestore, of: Ref<unknown>): DocumentReference => db.doc(of.path);

  const read = <Doc>(of: Ref<Doc>, snapshot: DocumentSnapshot | undefined): Doc | null =>
    snapshot?.exists ? decode(of.collection, of.path, snapshot.data()) : null;

  function docsOf<R extends Refs>(refs: R, snapshots: readonly DocumentSnapshot[]): Docs<R> {
    const byPath = new Map(snapshots.map((snapshot) => [snapshot.ref.path, snapshot]));
    return Object.fromEntries(
      Object.entries(refs).map(([name, of]) => [name, read(of, byPath.get(of.path))]),
    ) as Docs<R>;
  }

  function put(
    db: Firestore,
    into: Pick<Transaction, 'create' | 'set' | 'delete'>,
    write: Write,
  ): void {
    const target = place(db, write.ref);
    if (write.kind === 'remove') into.delete(target);
    else {
      const doc = encode(write.ref.collection, write.ref.path, write.doc);
      if (write.kind === 'create') into.create(target, doc);
      else into.set(target, doc);
    }
  }

  async function commit<R extends Refs, Reply, Given extends IssuedCommand>(
    command: Given,
    refs: R,
    rule: Rule<R, Reply, Given>,
  ): Promise<Applied<Reply> & { entry?: { ref: Ref<OutboxEntry>; doc: OutboxEntry } }> {
    const db = await clients.firestore();
    const record = ref(commandRecords, sha256Hex(command.id).slice(0, 40));
    // Effects of the attempt that was applied: a rerun decides the same, so the last stands for it.
    let entry: { ref: Ref<OutboxEntry>; doc: OutboxEntry } | undefined;
    const runId = randomUUID();
    const outbox = ref(outboxEntries, runId);
    const applied = (snapshot: DocumentSnapshot | undefined) => {
      const found = read(record, snapshot);
      // A record that has expired proves nothing any more, though TTL may leave it for a day.
      if (!found || found.expire_at <= command.at) return null;
      const replayed = found.run_id !== runId;
      // What another call committed, that call or the relay hands on.
      return {
        reply: JSON.parse(found.reply) as Reply,
        replayed,
        ...(entry && !replayed && { entry }),
      };
    };
    let attempt = 0;
    try {
      return await db.runTransaction(
        async (transaction) => {
          attempt++;
          // A fresh command cannot have been applied before its first attempt: no read for that.
          const wanted = [
            ...Object.values(refs),
            ...(command.keyed || attempt > 1 ? [record] : []),
          ];
          const snapshots =
            wanted.length > 0 ? await transaction.getAll(...wanted.map((of) => place(db, of))) : [];
          const found = applied(snapshots.find((snapshot) => snapshot.ref.path === record.path));
          if (found) return found;

          const decision = rule(docsOf(refs, snapshots), command);
          const { events = [], tasks = [] } = decision;
          if (decision.writes.length + events.length + tasks.length === 0)
            return { reply: decision.reply, replayed: false };
          for (const write of decision.writes) put(db, transaction, write);
          put(db, transaction, {
            kind: 'set',
            ref: record,
            doc: {
              reply: JSON.stringify(decision.reply ?? null),
              run_id: runId,
              expire_at: new Date(command.at.getTime() + COMMAND_RECORD_MS),
            },
          });
          entry = undefined;
          if (events.length + tasks.length > 0) {
            entry = { ref: outbox, doc: outboxEntry(command, events, tasks) };
            put(db, transaction, { kind: 'create', ref: entry.ref, doc: entry.doc });
          }
          return { reply: decision.reply, replayed: false, ...(entry && { entry }) };
        },
        { maxAttempts: TRANSACTION_ATTEMPTS_MAX },
      );
    } catch (error) {
      // A refusal, or a fault of ours: nothing was committed.
      if (!isGrpc(error)) throw error;
      // The client gave up, but an attempt may have been applied without our hearing of it.
      const found = applied(
        await place(db, record)
          .get()
          .catch(() => undefined),
      );
      if (found) return found;
      if (isGrpc(error, ALREADY_EXISTS))
        throw new AppError(
          'conflict',
          'This was created by another request just now; read it again.',
          { cause: error },
        );
      throw asOutage(error);
    }
  }

  async function firestoreQuery<Doc>(
    query: Pick<Query<Doc>, 'collection' | 'parents' | 'where' | 'anyOf'>,
  ): Promise<FirestoreQuery> {
    const db = await clients.firestore();
    let built: FirestoreQuery = db.collection(pathIn(query.collection, query.parents ?? []));
    for (const { field, op, value } of query.where ?? []) built = built.where(field, op, value);
    if (query.anyOf) {
      const { Filter } = await import('@google-cloud/firestore');
      const all = query.anyOf.map((filters) =>
        Filter.and(...filters.map(({ field, op, value }) => Filter.where(field, op, value))),
      );
      built = built.where(Filter.or(...all));
    }
    return built;
  }

  const store: GoogleStore = {
    async get(of) {
      const db = await clients.firestore();
      return read(of, await reached(place(db, of).get()));
    },

    async getAll(refs) {
      const db = await clients.firestore();
      const places = Object.values(refs).map((of) => place(db, of));
      return docsOf(refs, await reached(db.getAll(...places)));
    },

    async query(query) {
      const { orderBy, limit, cursor, afterId } = query;
      let built = await firestoreQuery(query);
      if (orderBy) built = built.orderBy(orderBy.field, orderBy.descending ? 'desc' : 'asc');
      built = built.orderBy('__name__', orderBy?.descending ? 'desc' : 'asc');
      if (afterId !== undefined) built = built.startAfter(afterId);
      if (cursor !== undefined) built = built.startAfter(...valuesOf(cursor, orderBy ? 2 : 1));
      const { docs } = await reached(built.limit(limit).get());
      const last = docs.length === limit ? docs.at(-1) : undefined;
      return {
        docs: docs.map((snapshot) => decode(query.collection, snapshot.ref.path, snapshot.data())),
        ids: docs.map(({ id }) => id),
        nextCursor: last
          ? cursorOf(orderBy ? [last.get(orderBy.field), last.id] : [last.id])
          : null,
      };
    },

    async count(query) {
      const built = await firestoreQuery(query);
      const counted = query.upTo === undefined ? built : built.limit(query.upTo);
      return (await reached(counted.count().get())).data().count;
    },

    async apply(command, refs, rule) {
      const { entry, ...applied } = await commit(command, refs, rule);
      if (entry) {
        try {
          await handOn(entry.doc, effects);
          await store.write([{ kind: 'remove', ref: entry.ref }]);
        } catch (error) {
          // Committed all the same: the relay hands it on.
          log.warn({ err: error, command_id: command.id }, 'effects left to the relay');
        }
      }
      return applied;
    },

    async append(of, doc) {
      const db = await clients.firestore();
      try {
        await place(db, of).create(encode(of.collection, of.path, doc));
        return true;
      } catch (error) {
        if (isGrpc(error, ALREADY_EXISTS)) return false;
        throw asOutage(error);
      }
    },

    async revise(refs, revise) {
      const db = await clients.firestore();
      const revised = db.runTransaction(async (transaction) => {
        const snapshots = await transaction.getAll(
          ...Object.values(refs).map((of) => place(db, of)),
        );
        const readAt = snapshots[0]?.readTime.toDate() ?? new Date(0);
        const { writes, reply } = revise(docsOf(refs, snapshots), readAt);
        for (const write of writes) put(db, transaction, write);
        return reply;
      });
      return reached(revised);
    },

    async write(writes) {
      const db = await clients.firestore();
      const batch = db.batch();
      for (const write of writes) put(db, batch as never, write);
      await reached(batch.commit());
    },

    async listOutbox(limit, after) {
      let built = (await firestoreQuery({ collection: outboxEntries })).orderBy('__name__');
      if (after !== undefined) built = built.startAfter(after);
      const { docs } = await built.limit(limit).get();
      return docs.map((snapshot) => ({
        id: snapshot.id,
        doc: decode(outboxEntries, snapshot.ref.path, snapshot.data()),
      }));
    },
  };
  return store;
}
