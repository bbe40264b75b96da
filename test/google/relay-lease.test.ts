import { afterAll, beforeAll, beforeEach, describe, expect, it } from 'vitest';
import { z } from 'zod';

import { outboxEntries, outboxEntry } from '../../shared/google/outbox.ts';
import { collection, ref } from '../../shared/store/collection.ts';
import { set } from '../../shared/store/decision.ts';
import { type TestPurvey, startTestPurvey } from '../support/purvey.ts';
import { incremented, newCounter } from './support/counters.ts';

const MINUTE_MS = 60_000;
const Lease = z.object({ holder: z.string(), until: z.string() });
const lease = ref(collection('leases', Lease), 'relay-outbox');

let purvey: TestPurvey;
beforeAll(async () => {
  purvey = await startTestPurvey();
});
afterAll(() => purvey.close());

const now = () => new Date(purvey.clock.nowMs());
const isoAfter = (ms: number) => new Date(purvey.clock.nowMs() + ms).toISOString();
const published = () => purvey.cloud.meter.read().rpcs['Publish'] ?? 0;

/** Leaves in the outbox what a crashed request would. */
async function leaveEvent(id: string): Promise<void> {
  const command = { id: `cmd_${id}`, at: now() };
  const doc = outboxEntry(command, [incremented(newCounter(), 1)], []);
  await purvey.services.store.write([set(ref(outboxEntries, id), doc)]);
}

/** Lets time pass with all that it brings: the relay runs each minute. */
async function pass(ms: number): Promise<void> {
  await purvey.clock.advance(ms);
  await purvey.settle();
}

const tick = () =>
  purvey.call('POST', '/_functions/relay-outbox', {
    as: { service: 'scheduler', of: 'relay-outbox' },
  });

describe('the relay', () => {
  beforeEach(() => purvey.cloud.meter.reset());

  it('runs each minute, publishes what is a minute old and gives its lease back', async () => {
    await leaveEvent('first');
    await pass(3 * MINUTE_MS);
    expect(published()).toBe(1);
    await leaveEvent('second');
    await pass(3 * MINUTE_MS);
    expect(published()).toBe(2);
  });

  it('of two that start at once works once', async () => {
    await leaveEvent('twice');
    // Another holds the lease while the entry ages, so that none of the runs in between takes it.
    await purvey.services.store.write([
      set(lease, { holder: 'other', until: isoAfter(2 * MINUTE_MS) }),
    ]);
    await pass(2 * MINUTE_MS - 1);
    expect(published()).toBe(0);
    await purvey.services.store.write([set(lease, { holder: 'other', until: isoAfter(0) })]);
    const both = await Promise.all([tick(), tick()]);
    expect(both.map(({ status }) => status)).toEqual([200, 200]);
    expect(published()).toBe(1);
  });

  it('stands back while another holds the lease, and takes over when that one has crashed', async () => {
    await leaveEvent('left');
    await purvey.services.store.write([
      set(lease, { holder: 'crashed', until: isoAfter(5 * MINUTE_MS) }),
    ]);
    await pass(5 * MINUTE_MS - 1);
    expect(published()).toBe(0);
    await pass(MINUTE_MS);
    expect(published()).toBe(1);
  });
});
