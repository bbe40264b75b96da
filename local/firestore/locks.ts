import type { Clock } from '../kernel/clock.ts';
import { RpcError } from '../kernel/grpc.ts';

/**
 * How long a lock is waited for, by the injected clock or by the wall, whichever comes first: with a
 * clock that stands still nobody would ever give up.
 */
const WAIT_MS_MAX = 2000;

/** A transaction in the locks' eyes: the names of the documents it has read. */
export interface LockOwner {
  readonly held: Set<string>;
  /** Whether it was aborted before. Such transactions take turns: they have shown that they collide. */
  readonly isRetry: boolean;
}

/**
 * Shared locks by document name, held from a transaction's read to its end, and exclusive ones, held
 * only while `work` runs. Requests are served in their order; waits that could never end are
 * refused at once, like those that last too long, with ABORTED.
 */
export interface Locks {
  share(owner: LockOwner, names: readonly string[]): Promise<void>;
  /** Runs `work` once no other owner holds any of the names. Without an owner, nothing is held. */
  exclude<T>(owner: LockOwner | undefined, names: readonly string[], work: () => T): Promise<T>;
  release(owner: LockOwner): void;
}

interface Request {
  readonly owner: LockOwner | undefined;
  readonly names: readonly string[];
  readonly exclusive: boolean;
  readonly grant: () => void;
}

const timedOut = (): RpcError => new RpcError('ABORTED', 'Transaction lock timeout.');

export function createLocks(clock: Clock): Locks {
  const holders = new Map<string, Set<LockOwner>>();
  let waiting: Request[] = [];

  /** Those who must let go before an exclusive request can be granted. */
  const blockersOf = ({ owner, names }: Request): LockOwner[] =>
    names.flatMap((name) => [...(holders.get(name) ?? [])].filter((holder) => holder !== owner));

  /**
   * A reader lets earlier writers pass, else a busy document would never be written; but not when it
   * holds locks already, for then those writers may be waiting for it. So only writers can deadlock.
   */
  function canProceed(request: Request, ahead: readonly Request[]): boolean {
    if (request.exclusive) return blockersOf(request).length === 0;
    if ((request.owner?.held.size ?? 0) > 0) return true;
    if (request.owner?.isRetry && blockersOf(request).some(({ isRetry }) => isRetry)) return false;
    return !ahead.some(
      (other) => other.exclusive && other.names.some((name) => request.names.includes(name)),
    );
  }

  /** Whether someone this request would wait for waits, directly or not, for its owner. */
  function wouldDeadlock(request: Request): boolean {
    if (!request.exclusive || !request.owner) return false;
    const seen = new Set<LockOwner>();
    const pending = blockersOf(request);
    for (let owner = pending.pop(); owner; owner = pending.pop()) {
      if (owner === request.owner) return true;
      if (seen.has(owner)) continue;
      seen.add(owner);
      for (const other of waiting) {
        if (other.owner === owner && other.exclusive) pending.push(...blockersOf(other));
      }
    }
    return false;
  }

  /** Grants what has become possible, the longest waiting first. */
  function serveWaiting(): void {
    for (let i = 0; i < waiting.length;) {
      const request = waiting[i];
      if (request && canProceed(request, waiting.slice(0, i))) {
        waiting = waiting.filter((other) => other !== request);
        request.grant();
        i = 0;
      } else {
        i++;
      }
    }
  }

  function acquire<T>(
    owner: LockOwner | undefined,
    names: readonly string[],
    exclusive: boolean,
    onGrant: () => T,
  ): Promise<T> {
    return new Promise((done, failed) => {
      const request: Request = {
        owner,
        names,
        exclusive,
        grant() {
          clearTimeout(wallTimer);
          clockTimer?.cancel();
          try {
            done(onGrant());
          } catch (error) {
            failed(error);
          }
        },
      };
      const giveUp = () => {
        clearTimeout(wallTimer);
        clockTimer?.cancel();
        waiting = waiting.filter((other) => other !== request);
        failed(timedOut());
        serveWaiting();
      };
      let wallTimer: NodeJS.Timeout | undefined;
      let clockTimer: { cancel(): void } | undefined;
      if (canProceed(request, waiting)) return request.grant();
      if (wouldDeadlock(request)) return failed(timedOut());
      waiting.push(request);
      wallTimer = setTimeout(giveUp, WAIT_MS_MAX).unref();
      clockTimer = clock.at(clock.nowMs() + WAIT_MS_MAX, giveUp);
    });
  }

  return {
    share: (owner, names) =>
      acquire(owner, names, false, () => {
        for (const name of names) {
          owner.held.add(name);
          const sharers = holders.get(name);
          if (sharers) sharers.add(owner);
          else holders.set(name, new Set([owner]));
        }
      }),
    exclude: (owner, names, work) => acquire(owner, names, true, work),
    release(owner) {
      for (const name of owner.held) {
        const sharers = holders.get(name);
        sharers?.delete(owner);
        if (sharers?.size === 0) holders.delete(name);
      }
      owner.held.clear();
      serveWaiting();
    },
  };
}
