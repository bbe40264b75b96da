import { describe, expect, it } from 'vitest';

import { TRAFFIC, costOfTraffic } from './support/traffic.ts';

describe('what a successful call costs the store, over simulated traffic', () => {
  it('on the warm path at most 0.25 reads and 0.15 writes', async () => {
    const cost = await costOfTraffic({ ...TRAFFIC.warm, seconds: 240 });
    expect(cost.served).toBe(cost.calls);
    expect(cost.readsPerCall).toBeLessThanOrEqual(0.25);
    expect(cost.writesPerCall).toBeLessThanOrEqual(0.15);
  });

  it('where calls are sparse and instances live a minute at most 2 reads and 2 writes', async () => {
    const cost = await costOfTraffic(TRAFFIC.sparse);
    expect(cost.served).toBe(cost.calls);
    expect(cost.readsPerCall).toBeLessThanOrEqual(2);
    expect(cost.writesPerCall).toBeLessThanOrEqual(2);
  });

  it('of a key without quota a fraction of a read, and of a write for what is counted', async () => {
    const cost = await costOfTraffic({ ...TRAFFIC['without quota'], seconds: 240 });
    expect(cost.readsPerCall).toBeLessThanOrEqual(0.15);
    expect(cost.writesPerCall).toBeLessThanOrEqual(0.08);
  });
});
