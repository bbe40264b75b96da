import { type Duplex, RpcError } from '../kernel/grpc.ts';
import type { Database } from './database.ts';
import { type Micros, toWireTimestamp } from './timestamps.ts';
import { createTarget, tokenOf, type WatchTarget } from './watch-target.ts';
import type { WireTarget } from './wire.ts';

interface ListenRequest {
  readonly database?: string;
  readonly addTarget?: WireTarget;
  readonly removeTarget?: number;
}

/**
 * Tells of every commit as soon as it is on disk: first all that it changes in any target of the
 * stream, then that the stream has arrived at the commit's time.
 */
export function listen(database: Database): Duplex<ListenRequest> {
  const { documents, journal, timeline } = database;
  return (call) => {
    const targets = new Map<number, WatchTarget>();
    let isOpen = true;

    const send = (messages: readonly unknown[]) => {
      if (messages.length === 0) return;
      journal.flushed().then(
        () => {
          if (isOpen) for (const message of messages) call.write(message);
        },
        (error: unknown) => call.emit('error', new RpcError('INTERNAL', String(error))),
      );
    };
    const arrivedAt = (at: Micros) => ({
      targetChange: { readTime: toWireTimestamp(at), resumeToken: tokenOf(at) },
    });

    const stopFollowing = documents.onCommit((changes, at) => {
      const messages = [...targets.values()].flatMap((target) => target.follow(changes, at));
      if (messages.length > 0) send([...messages, arrivedAt(at)]);
    });
    const stop = () => {
      isOpen = false;
      stopFollowing();
    };
    for (const event of ['cancelled', 'error', 'finish']) call.once(event, stop);

    function add(wire: WireTarget, databaseName: string | undefined): void {
      const id = wire.targetId ?? 0;
      if (targets.has(id)) {
        throw new RpcError('INVALID_ARGUMENT', `Target id ${id} is already in use.`);
      }
      const now = timeline.read();
      let target: WatchTarget;
      try {
        target = createTarget(database, id, wire, databaseName);
      } catch (error) {
        if (!(error instanceof RpcError)) throw error;
        const cause = { code: error.code, message: error.details };
        send([{ targetChange: { targetChangeType: 'REMOVE', targetIds: [id], cause } }]);
        return;
      }
      const messages = target.start(now);
      if (target.isOnce) messages.push(removed(id));
      else targets.set(id, target);
      send([...messages, arrivedAt(now)]);
    }

    call.on('data', (request: ListenRequest) => {
      try {
        if (request.addTarget) {
          add(request.addTarget, request.database);
        } else if (request.removeTarget !== undefined && targets.delete(request.removeTarget)) {
          send([removed(request.removeTarget)]);
        } else {
          throw new RpcError('INVALID_ARGUMENT', 'A target to add or to remove is needed.');
        }
      } catch (error) {
        call.emit(
          'error',
          error instanceof RpcError ? error : new RpcError('INTERNAL', String(error)),
        );
      }
    });
    call.on('end', () => call.end());
  };
}

const removed = (id: number) => ({
  targetChange: { targetChangeType: 'REMOVE', targetIds: [id] },
});
