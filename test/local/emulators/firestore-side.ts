import {
  AggregateField,
  type CollectionReference,
  type DocumentData,
  type DocumentReference,
  type DocumentSnapshot,
  FieldValue,
  Filter as ClientFilter,
  type Firestore,
  GeoPoint,
  type Precondition,
  type Query,
  Timestamp,
  type Transaction,
  type WriteBatch,
} from '@google-cloud/firestore';

import {
  type Datum,
  type Fields,
  type Filter,
  GROUP,
  type Operation,
  PATHS,
  type Question,
  type Transform,
  type Write,
} from './firestore-operations.ts';

const NEVER = Timestamp.fromMillis(1);

/** One server under a sequence of operations, in a collection of its own. */
export function createSide(client: Firestore, run: string) {
  const root = client.collection(`c-${run}`);
  /** A different id in each run, because a collection group spans the database. */
  const located = (path: string) => path.replace(`/${GROUP}/`, `/${GROUP}-${run}/`);
  const docAt = (path: string): DocumentReference => root.doc(located(path));
  /** Last update times by path, as this server gave them. */
  const updated = new Map<string, string>();

  const timeOf = (path: string): Timestamp => {
    const [seconds, nanos] = updated.get(path)?.split('.') ?? [];
    return seconds === undefined ? NEVER : new Timestamp(Number(seconds), Number(nanos));
  };

  const build = (value: Datum | Transform): unknown => valueFor(value, docAt);
  const data = (fields: Fields): DocumentData =>
    Object.fromEntries(Object.entries(fields).map(([key, value]) => [key, build(value)]));

  function add(target: WriteBatch | Transaction, write: Write): void {
    const doc = docAt(write.path);
    const precondition = preconditionOf(write, timeOf(write.path));
    const batch = target as WriteBatch;
    if (write.kind === 'set') batch.set(doc, data(write.fields));
    if (write.kind === 'merge') batch.set(doc, data(write.fields), { merge: true });
    if (write.kind === 'create') batch.create(doc, data(write.fields));
    if (write.kind === 'update') {
      if (precondition)
        batch.update(doc, data(write.fields), precondition as { lastUpdateTime: Timestamp });
      else batch.update(doc, data(write.fields));
    }
    if (write.kind === 'delete') batch.delete(doc, precondition ?? {});
  }

  /** The document without what must differ between two servers; whether it was written anew stays. */
  function show(snapshot: DocumentSnapshot): unknown {
    const path = PATHS.find((one) => docAt(one).path === snapshot.ref.path) ?? snapshot.ref.id;
    if (!snapshot.exists) return { path, missing: true };
    const time = keyOf(snapshot.updateTime);
    const isNew = updated.get(path) !== time;
    updated.set(path, time);
    return {
      path,
      isNew,
      isFirst: keyOf(snapshot.createTime) === time,
      data: shown(snapshot.data(), root),
    };
  }

  const showAll = async () => (await client.getAll(...PATHS.map(docAt))).map(show);

  async function perform(operation: Operation): Promise<unknown> {
    switch (operation.kind) {
      case 'commit': {
        const batch = client.batch();
        for (const write of operation.writes) add(batch, write);
        await batch.commit();
        return showAll();
      }
      case 'transaction':
        return client.runTransaction(
          async (transaction) => {
            const docs = operation.reads.map(docAt);
            const read = docs.length > 0 ? (await transaction.getAll(...docs)).map(show) : [];
            const found = operation.question
              ? (await transaction.get(ask(operation.question))).docs.map(show)
              : [];
            for (const write of operation.writes) add(transaction, write);
            return [read, found];
          },
          { maxAttempts: 1 },
        );
      case 'get': {
        const docs = operation.paths.map(docAt);
        const mask = operation.mask.length > 0 ? [{ fieldMask: [...operation.mask] }] : [];
        return (await client.getAll(...docs, ...(mask as never[]))).map(show);
      }
      case 'query':
        return (await ask(operation.question).get()).docs.map(show);
      case 'aggregate': {
        const aggregated = ask(operation.question).aggregate({
          count: AggregateField.count(),
          sum: AggregateField.sum(operation.field),
          average: AggregateField.average(operation.field),
        });
        return shown((await aggregated.get()).data(), root);
      }
      case 'list':
        return Promise.all([
          root.listDocuments().then((docs) => docs.map(({ id }) => id)),
          docAt('d0')
            .listCollections()
            .then((collections) => collections.length),
        ]);
    }
  }

  function ask(question: Question): Query {
    const groupId = located(`x/${GROUP}/x`).split('/')[1] ?? '';
    let query: Query = question.isGroup ? client.collectionGroup(groupId) : root;
    for (const filter of question.filters) query = query.where(filterFor(filter, build));
    for (const { field, descending } of question.orders) {
      query = query.orderBy(field, descending ? 'desc' : 'asc');
    }
    const { start, end, limit } = question;
    if (start) {
      const from = start.values.map(build);
      query = start.inclusive ? query.startAt(...from) : query.startAfter(...from);
    }
    if (end) {
      const to = end.values.map(build);
      query = end.inclusive ? query.endAt(...to) : query.endBefore(...to);
    }
    if (question.offset > 0) query = query.offset(question.offset);
    if (limit) query = limit.isLast ? query.limitToLast(limit.count) : query.limit(limit.count);
    return question.select ? query.select(...question.select) : query;
  }

  return {
    /** What came of an operation, in a form that is equal on two servers that agree. */
    async outcomeOf(operation: Operation): Promise<unknown> {
      try {
        return { answer: await perform(operation) };
      } catch (error) {
        const code = error instanceof Error && 'code' in error ? error.code : undefined;
        // Without a code it is the client that refuses, and does so before any server.
        return { refused: code ?? String(error) };
      }
    },
    finalState: showAll,
  };
}

const keyOf = (time: Timestamp | undefined): string => `${time?.seconds}.${time?.nanoseconds}`;

function preconditionOf({ precondition }: Write, current: Timestamp): Precondition | undefined {
  if (precondition === 'exists') return { exists: true };
  if (precondition === 'current') return { lastUpdateTime: current };
  return precondition === 'stale' ? { lastUpdateTime: NEVER } : undefined;
}

const isList = (value: Datum | Transform): value is readonly Datum[] => Array.isArray(value);

function valueFor(value: Datum | Transform, docAt: (path: string) => DocumentReference): unknown {
  const build = (one: Datum) => valueFor(one, docAt);
  if (typeof value !== 'object' || value === null) return value;
  if (isList(value)) return value.map(build);
  if ('time' in value) return new Timestamp(...value.time);
  if ('bytes' in value) return Buffer.from(value.bytes);
  if ('geo' in value) return new GeoPoint(...value.geo);
  if ('ref' in value) return docAt(value.ref);
  if ('map' in value) {
    return Object.fromEntries(Object.entries(value.map).map(([key, one]) => [key, build(one)]));
  }
  switch (value.transform) {
    case 'now':
      return FieldValue.serverTimestamp();
    case 'unset':
      return FieldValue.delete();
    case 'add':
      return FieldValue.increment(value.operand);
    case 'most':
      return FieldValue.maximum(value.operand);
    case 'least':
      return FieldValue.minimum(value.operand);
    case 'union':
      return FieldValue.arrayUnion(...value.operand.map(build));
    case 'subtract':
      return FieldValue.arrayRemove(...value.operand.map(build));
  }
}

function filterFor(filter: Filter, build: (value: Datum) => unknown): ClientFilter {
  if ('any' in filter) return ClientFilter.or(...filter.any.map((one) => filterFor(one, build)));
  if ('all' in filter) return ClientFilter.and(...filter.all.map((one) => filterFor(one, build)));
  return ClientFilter.where(filter.field, filter.op, build(filter.value));
}

/** Times before this were written by the sequence, later ones by a server's clock. */
const LONG_AGO_S = 1_000_000;

/** A value as the answer has it, spelled so that every difference shows, in type too. */
function shown(value: unknown, root: CollectionReference): unknown {
  if (typeof value === 'bigint') return `integer ${value}`;
  if (typeof value === 'number') return Object.is(value, -0) ? 'double -0' : `double ${value}`;
  if (typeof value !== 'object' || value === null) return value;
  if (value instanceof Timestamp) return value.seconds < LONG_AGO_S ? keyOf(value) : 'server time';
  if (value instanceof GeoPoint) return `geo ${value.latitude} ${value.longitude}`;
  if (value instanceof Uint8Array) return `bytes ${Buffer.from(value).toString('hex')}`;
  if ('path' in value && 'parent' in value) {
    return `ref ${String(value.path).slice(root.path.length)}`;
  }
  if (Array.isArray(value)) return value.map((one) => shown(one, root));
  return Object.fromEntries(
    Object.entries(value)
      .sort(([a], [b]) => (a < b ? -1 : 1))
      .map(([key, one]) => [key, shown(one, root)]),
  );
}
