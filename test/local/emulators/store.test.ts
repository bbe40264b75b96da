import { randomBytes } from 'node:crypto';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { z } from 'zod';

import { createServices } from '../../../shared/google/services.ts';
import { loadConfig } from '../../../shared/runtime/config.ts';
import { collection, ref } from '../../../shared/store/collection.ts';
import { create, remove, set } from '../../../shared/store/decision.ts';
import { commandAt, increment, newCounter } from '../../google/support/counters.ts';
import { type Instance, openGround } from '../../google/support/ground.ts';

const Item = z.object({ rank: z.int(), tags: z.array(z.string()) });
const items = collection('items', Item);

interface Backend {
  instance(): Instance;
  close(): Promise<void>;
}

/** The product's own store on Google's emulator: a database of its own, and no other Google product. */
function onEmulator(address: string): Backend {
  const instances: Instance[] = [];
  const config = loadConfig({
    GOOGLE_CLOUD_PROJECT: `purvey-${randomBytes(4).toString('hex')}`,
    PURVEY_CLOUD_ENDPOINT: address,
    PURVEY_OPERATOR_KEY: `pv_op_${'0'.repeat(64)}`,
    PURVEY_HMAC_KEY: 'f'.repeat(64),
    PURVEY_LOG_LEVEL: 'silent',
  });
  return {
    instance() {
      const made = createServices(config);
      instances.push(made);
      return made;
    },
    close: async () => void (await Promise.all(instances.map(({ close }) => close()))),
  };
}

const address = process.env['FIRESTORE_EMULATOR_UNDER_TEST'];
const backends = [
  {
    name: 'the embedded Firestore',
    isThere: true,
    open: async (): Promise<Backend> => openGround(),
  },
  {
    name: "Google's emulator",
    isThere: address !== undefined,
    open: async (): Promise<Backend> => onEmulator(address ?? ''),
  },
];

/** The contract of the store, without what only the embedded cloud can show: faults, prices, the clock. */
describe.for(backends.filter(({ isThere }) => isThere))('the store on $name', ({ open }) => {
  let backend: Backend;
  let services: Instance;
  let other: Instance;
  beforeAll(async () => {
    backend = await open();
    services = backend.instance();
    other = backend.instance();
  });
  afterAll(() => backend.close());

  const command = (key?: string) => commandAt(new Date(), key);

  it('creates, sets and removes in one commit', async () => {
    const [made, kept, gone] = [newCounter(), newCounter(), newCounter()];
    await services.store.write([set(kept, { n: 1, label: '' }), set(gone, { n: 1, label: '' })]);
    await services.store.apply(command(), {}, () => ({
      writes: [create(made, { n: 5, label: '' }), set(kept, { n: 6, label: '' }), remove(gone)],
      reply: null,
    }));
    expect(await services.store.getAll({ made, kept, gone })).toEqual({
      made: { n: 5, label: '' },
      kept: { n: 6, label: '' },
      gone: null,
    });
  });

  it('answers a repeated command with the first reply, from any instance', async () => {
    const counter = newCounter();
    const run = (store: Instance['store']) =>
      store.apply(command('repeat'), { counter }, increment(counter));
    expect(await run(services.store)).toEqual({ reply: 1, replayed: false });
    expect(await run(other.store)).toEqual({ reply: 1, replayed: true });
    expect(await services.store.get(counter)).toMatchObject({ n: 1 });
  });

  it('refuses to create what exists, and keeps nothing of that commit', async () => {
    const [taken, beside] = [newCounter(), newCounter()];
    await services.store.write([set(taken, { n: 1, label: 'first' })]);
    const clash = services.store.apply(command(), {}, () => ({
      writes: [set(beside, { n: 1, label: '' }), create(taken, { n: 2, label: 'second' })],
      reply: null,
    }));
    await expect(clash).rejects.toMatchObject({ code: 'conflict' });
    expect(await services.store.getAll({ taken, beside })).toEqual({
      taken: { n: 1, label: 'first' },
      beside: null,
    });
  });

  it('loses no increment of two instances that contend for a document', async () => {
    const counter = newCounter();
    await services.store.write([set(counter, { n: 0, label: '' })]);
    const runs = Array.from({ length: 6 }, (_, i) =>
      (i % 2 === 0 ? services : other).store.apply(command(), { counter }, increment(counter)),
    );
    const replies = (await Promise.all(runs)).map(({ reply }) => reply);
    expect(replies.toSorted((a, b) => a - b)).toEqual([1, 2, 3, 4, 5, 6]);
    expect(await services.store.get(counter)).toMatchObject({ n: 6 });
  });

  it('pages through what matches, each document once and in the order of the ids', async () => {
    const range = Array.from({ length: 7 }, (_, rank) => rank);
    await services.store.write(
      range.map((rank) =>
        set(ref(items, `i${rank}`), { rank, tags: [rank % 2 === 0 ? 'even' : 'odd'] }),
      ),
    );
    const ranks: number[] = [];
    let cursor: string | undefined;
    do {
      const page = await services.store.query({ collection: items, limit: 3, cursor });
      ranks.push(...page.docs.map(({ rank }) => rank));
      cursor = page.nextCursor ?? undefined;
    } while (cursor !== undefined);
    expect(ranks).toEqual(range);
  });
});
