/*
 * Firestore operations of a successful call, counted exactly over simulated traffic at random times:
 * warm instances, sparse ones that live a minute, and keys without quota; beside what a naive layer
 * would take, which asks the store each time. `node bench/execution-ops.ts`
 */
import { TRAFFIC, costOfTraffic } from '../test/shared/execution/support/traffic.ts';
import { report } from './support.ts';

/** Reserve a unit, read the breaker; then the unit, the health and the attempt's row are written. */
const NAIVE = { readsPerCall: 2, writesPerCall: 3 };
const SEEDS = [1, 2, 3];

const rounded = (value: number) => Number(value.toFixed(4));

for (const [name, traffic] of Object.entries(TRAFFIC))
  for (const seed of SEEDS) {
    const { calls, served, readsPerCall, writesPerCall } = await costOfTraffic({
      ...traffic,
      seed,
    });
    report('execution-ops', name, {
      seed,
      calls,
      served: rounded(served / calls),
      readsPerCall: rounded(readsPerCall),
      writesPerCall: rounded(writesPerCall),
      naiveReadsPerCall: NAIVE.readsPerCall,
      naiveWritesPerCall: NAIVE.writesPerCall,
    });
  }
