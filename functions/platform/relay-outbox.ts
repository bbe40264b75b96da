import { z } from 'zod';

import { schedule } from '../../shared/runtime/schedule.ts';
import { collection, ref } from '../../shared/store/collection.ts';
import { set } from '../../shared/store/decision.ts';

/** Younger entries belong to a request that is still handing them on itself. */
const MIN_AGE_MS = 60_000;
/** What one run may take; the rest is left to the next, which goes on where this one stopped. */
const BUDGET_MS = 40_000;
/** One relay at a time; a crashed holder's lease ends soon after its function's time. */
const LEASE_MS = 70_000;

const leases = collection(
  'leases',
  z.object({ holder: z.string(), until: z.string(), after: z.string().nullable().default(null) }),
);

export default schedule('relay-outbox', {
  summary: 'Publish and enqueue what crashed requests left in the outbox',
  handle: async ({ store, outbox, at, randomHex, log }) => {
    const lease = ref(leases, 'relay-outbox');
    const holder = randomHex(8);
    const until = (ms: number) => new Date(at.getTime() + ms).toISOString();
    const held = await store.revise({ lease }, ({ lease: found }) => {
      const after = found?.after ?? null;
      if (found && found.holder !== holder && found.until > at.toISOString())
        return { writes: [], reply: null };
      return { writes: [set(lease, { holder, until: until(LEASE_MS), after })], reply: { after } };
    });
    if (!held) return;
    let { after } = held;
    try {
      const { next, ...counts } = await outbox.relay({
        minAgeMs: MIN_AGE_MS,
        budgetMs: BUDGET_MS,
        after,
      });
      after = next;
      if (counts.relayed + counts.left > 0) log.info(counts, 'outbox relayed');
    } finally {
      await store.write([set(lease, { holder, until: until(0), after })]);
    }
  },
});
