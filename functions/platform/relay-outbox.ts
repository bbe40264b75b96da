import { z } from 'zod';

import { schedule } from '../../shared/runtime/schedule.ts';
import { collection, ref } from '../../shared/store/collection.ts';
import { set } from '../../shared/store/decision.ts';

/** Younger entries belong to a request that is still handing them on itself. */
const MIN_AGE_MS = 60_000;
/** One relay at a time; a lease outlives a crashed holder by this much. */
const LEASE_MS = 5 * 60_000;

const leases = collection('leases', z.object({ holder: z.string(), until: z.string() }));

export default schedule('relay-outbox', {
  summary: 'Publish and enqueue what crashed requests left in the outbox',
  handle: async ({ store, outbox, now, at, randomHex, log }) => {
    const lease = ref(leases, 'relay-outbox');
    const holder = randomHex(8);
    const until = (ms: number) => new Date(at.getTime() + ms).toISOString();
    const mine = await store.revise({ lease }, (docs) => {
      const free =
        !docs.lease || docs.lease.until <= at.toISOString() || docs.lease.holder === holder;
      return {
        writes: free ? [set(lease, { holder, until: until(LEASE_MS) })] : [],
        reply: free,
      };
    });
    if (!mine) return;
    try {
      const result = await outbox.relay(now(), MIN_AGE_MS);
      if (result.relayed + result.left > 0) log.info(result, 'outbox relayed');
    } finally {
      await store.write([set(lease, { holder, until: until(0) })]);
    }
  },
});
