import { describe, expect, it } from 'vitest';

import { costOf, Meter } from '../../../local/kernel/meter.ts';
import { startWithTopics } from '../pubsub/support.ts';

describe('a cost', () => {
  it('is what Google lists for us-central1', () => {
    const million = 1_000_000;
    const meter = new Meter();
    meter.count('reads', million);
    meter.count('writes', million);
    meter.count('deletes', million);
    meter.count('tasks', million);
    meter.count('messageBytes', 2 ** 40);
    meter.count('kmsOperations', million);
    const { by, usd } = meter.cost();
    expect(by.reads).toBeCloseTo(0.3);
    expect(by.writes).toBeCloseTo(0.9);
    expect(by.deletes).toBeCloseTo(0.1);
    expect(by.tasks).toBeCloseTo(0.4);
    expect(by.messageBytes).toBeCloseTo(40);
    expect(by.kmsOperations).toBeCloseTo(3);
    expect(usd).toBeCloseTo(44.7);
  });

  it('of a piece of work is measured with its usage', async () => {
    const meter = new Meter();
    meter.count('reads', 5);
    const { usage, cost } = await meter.measure(async () => meter.count('writes', 2));
    expect(usage).toMatchObject({ reads: 0, writes: 2 });
    expect(cost).toEqual(costOf(usage));
  });
});

describe('the volume of messages', () => {
  it('is billed per request when published and when delivered, 1,000 bytes at least', async () => {
    const test = await startWithTopics();
    await test.subscribePush();
    const volume = async (work: () => Promise<unknown>) => {
      const { usage } = await test.cloud.meter.measure(async () => {
        await work();
        await test.cloud.idle();
      });
      return usage.messageBytes;
    };
    expect(await volume(() => test.publish('small'))).toBe(2 * 1000);
    // 20 bytes for the time, 16 for the id, the attribute's key and value.
    const big = () => test.publish('x'.repeat(5000), { attributes: { ab: 'cde' } });
    expect(await volume(big)).toBe(2 * 5041);
    await test.stop();
  });
});
