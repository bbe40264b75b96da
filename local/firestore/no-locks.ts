import type { Locks } from './locks.ts';

/** For optimistic concurrency: only notes what was read, which the commit then finds unchanged or not. */
export const noLocks = (): Locks => ({
  async share(owner, names) {
    for (const name of names) owner.held.add(name);
  },
  exclude: async (_owner, _names, work) => work(),
  release: (owner) => owner.held.clear(),
});
