import './support/quick-retries.ts';

import { afterAll, afterEach, beforeAll, describe, expect, it } from 'vitest';
import { z } from 'zod';

import { AppError } from '../../shared/errors.ts';
import { collection, ref } from '../../shared/store/collection.ts';
import { create, remove, set } from '../../shared/store/decision.ts';
import {
  announcedIncrement,
  commandAt,
  counters,
  increment,
  newCounter,
} from './support/counters.ts';
import { type Ground, type Instance, openGround } from './support/ground.ts';

let ground: Ground;
let services: Instance;
/** A second instance, as autoscaling would start one. */
let other: Instance;
beforeAll(async () => {
  ground = await openGround();
  services = ground.instance();
  other = ground.instance();
  // Instances that are warm, so that no test measures their first connection.
  await Promise.all([services, other].map(({ store }) => store.get(newCounter())));
});
afterEach(() => ground.cloud.faults.clear());
afterAll(() => ground.close());

const command = (key?: string) => commandAt(ground.now(), key);

/** The ids of all documents that a commit wrote, commit by commit. */
function watchCommits(): string[][] {
  const commits: string[][] = [];
  const Write = z.object({
    update: z.object({ name: z.string() }).nullish(),
    delete: z.string().nullish(),
  });
  const Commit = z.object({ writes: z.array(Write).default([]) });
  ground.cloud.faults.inject({
    rpc: 'Commit',
    when: (request) => {
      const { writes } = Commit.parse(request);
      commits.push(
        writes.map(
          (write) => (write.update?.name ?? write.delete ?? '').split('/documents/')[1] ?? '',
        ),
      );
      return false;
    },
    action: { kind: 'fail', code: 'INTERNAL' },
  });
  return commits;
}

describe('applying a command', () => {
  it('commits what the rule decides and returns its reply', async () => {
    const counter = newCounter();
    expect(await services.store.apply(command(), { counter }, increment(counter))).toEqual({
      reply: 1,
      replayed: false,
    });
    expect(await services.store.get(counter)).toEqual({ n: 1, label: '' });
  });

  it('commits writes, command record and outbox entry together, and removes the entry at the end', async () => {
    const counter = newCounter();
    const commits = watchCommits();
    await services.store.apply(command(), { counter }, announcedIncrement(counter));
    expect(commits).toEqual([
      [
        counter.path,
        expect.stringMatching(/^commands\/[0-9a-f]{40}$/),
        expect.stringMatching(/^outbox\/[0-9a-f-]{36}$/),
      ],
      [commits[0]?.[2]],
    ]);
  });

  it('creates, sets and removes', async () => {
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

  it('that decides to do nothing commits nothing, not even a record', async () => {
    const counter = newCounter();
    const { result, usage } = await ground.cloud.meter.measure(() =>
      services.store.apply(command(), { counter }, () => ({ writes: [], reply: 'nothing to do' })),
    );
    expect(result).toEqual({ reply: 'nothing to do', replayed: false });
    expect(usage).toMatchObject({ reads: 1, writes: 0, deletes: 0 });
  });

  it('gives the rule each document by its name, null where absent', async () => {
    const [there, absent] = [newCounter(), newCounter()];
    await services.store.write([set(there, { n: 7, label: 'x' })]);
    const { reply } = await services.store.apply(
      command(),
      { there, absent, again: there },
      (docs) => ({
        writes: [],
        reply: docs,
      }),
    );
    expect(reply).toEqual({
      there: { n: 7, label: 'x' },
      absent: null,
      again: { n: 7, label: 'x' },
    });
  });
});

describe('a rule that refuses', () => {
  it('writes nothing, and its error reaches the caller as it was', async () => {
    const counter = newCounter();
    const refusal = new AppError('invalid_transition', 'It is archived.');
    const { result, usage } = await ground.cloud.meter.measure(() =>
      services.store
        .apply(command(), { counter }, () => {
          throw refusal;
        })
        .catch((error: unknown) => error),
    );
    expect(result).toBe(refusal);
    expect(usage).toMatchObject({ writes: 0, deletes: 0 });
    expect(usage.rpcs['Commit']).toBeUndefined();
  });

  it('leaves its documents to others at once', async () => {
    const counter = newCounter();
    const refused = services.store.apply(command(), { counter }, () => {
      throw new AppError('conflict', 'no');
    });
    await expect(refused).rejects.toThrow('no');
    await other.store.apply(command(), { counter }, increment(counter));
    expect(await services.store.get(counter)).toMatchObject({ n: 1 });
  });

  it('may be tried again with the same key, for nothing was recorded', async () => {
    const counter = newCounter();
    const refused = services.store.apply(command('refused-once'), { counter }, () => {
      throw new AppError('conflict', 'not yet');
    });
    await expect(refused).rejects.toThrow('not yet');
    expect(
      await services.store.apply(command('refused-once'), { counter }, increment(counter)),
    ).toEqual({ reply: 1, replayed: false });
  });

  it('by mistake, is told apart from a store that is out of reach', async () => {
    const counter = newCounter();
    const broken = services.store.apply(command(), { counter }, () => {
      throw new TypeError('undefined is not a function');
    });
    await expect(broken).rejects.toThrow(TypeError);
  });

  it('by creating what exists is a conflict, and nothing of the commit stays', async () => {
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
});

describe('a keyed command', () => {
  it('repeated returns the first reply and does nothing', async () => {
    const counter = newCounter();
    const first = await services.store.apply(command('repeat'), { counter }, increment(counter));
    const second = await services.store.apply(command('repeat'), { counter }, increment(counter));
    expect([first, second]).toEqual([
      { reply: 1, replayed: false },
      { reply: 1, replayed: true },
    ]);
    expect(await services.store.get(counter)).toMatchObject({ n: 1 });
  });

  it('repeated by another instance, later, finds the record too', async () => {
    const counter = newCounter();
    await services.store.apply(command('elsewhere'), { counter }, increment(counter));
    await services.store.apply(command(), { counter }, increment(counter));
    expect(await other.store.apply(command('elsewhere'), { counter }, increment(counter))).toEqual({
      reply: 1,
      replayed: true,
    });
    expect(await services.store.get(counter)).toMatchObject({ n: 2 });
  });

  it('sent twice at once is applied once, and only one call takes it for its own', async () => {
    const counter = newCounter();
    const both = await Promise.all(
      [services, other].map(({ store }) =>
        store.apply(command('twice-at-once'), { counter }, increment(counter)),
      ),
    );
    expect(both.map(({ reply }) => reply)).toEqual([1, 1]);
    expect(both.filter(({ replayed }) => replayed)).toHaveLength(1);
    expect(await services.store.get(counter)).toMatchObject({ n: 1 });
  });
});

describe('concurrent commands', () => {
  it('on one document all apply', async () => {
    const counter = newCounter();
    const replies = await Promise.all(
      [services, other, services, other].map(async ({ store }) => {
        const { reply } = await store.apply(command(), { counter }, increment(counter));
        return reply;
      }),
    );
    expect(new Set(replies)).toEqual(new Set([1, 2, 3, 4]));
    expect(await services.store.get(counter)).toMatchObject({ n: 4 });
  });

  it('that each check the other’s document cannot both pass', async () => {
    const [left, right] = [newCounter(), newCounter()];
    const takeUnlessOtherTaken = (mine: typeof left, others: typeof left) => ({
      refs: { mine, others },
      rule: (docs: { others: unknown }) => {
        if (docs.others) throw new AppError('conflict', 'taken');
        return { writes: [set(mine, { n: 1, label: '' })], reply: null };
      },
    });
    const one = takeUnlessOtherTaken(left, right);
    const two = takeUnlessOtherTaken(right, left);
    const results = await Promise.allSettled([
      services.store.apply(command(), one.refs, one.rule),
      other.store.apply(command(), two.refs, two.rule),
    ]);
    expect(results.map(({ status }) => status).toSorted()).toEqual(['fulfilled', 'rejected']);
  });
});

describe('what a command costs', () => {
  const cases = [
    { k: 0, w: 1, effects: false, keyed: false },
    { k: 1, w: 1, effects: false, keyed: false },
    { k: 1, w: 1, effects: true, keyed: false },
    { k: 3, w: 2, effects: true, keyed: false },
    { k: 2, w: 4, effects: false, keyed: true },
    { k: 3, w: 2, effects: true, keyed: true },
  ];
  it.each(cases)(
    'with $k documents read, $w written, effects: $effects, keyed: $keyed',
    async ({ k, w, effects, keyed }) => {
      const refs = Object.fromEntries(Array.from({ length: k }, (_, i) => [`r${i}`, newCounter()]));
      const targets = Array.from({ length: w }, () => newCounter());
      const { usage } = await ground.cloud.meter.measure(() =>
        services.store.apply(command(keyed ? `cost-${k}-${w}` : undefined), refs, () => ({
          writes: targets.map((target) => set(target, { n: 1, label: '' })),
          ...(effects && {
            events: [
              { topic: 'aex-provider-events', type: 't', subject: 's', version: 1, fields: {} },
            ],
            tasks: [{ function: 'plan-rfq', name: `cost-${k}-${w}-${keyed}`, payload: {} }],
          }),
          reply: null,
        })),
      );
      expect(usage).toMatchObject({
        reads: keyed ? k + 1 : k,
        writes: effects ? w + 2 : w + 1,
        deletes: effects ? 1 : 0,
        messages: effects ? 1 : 0,
      });
      const reads = k > 0 || keyed ? { BatchGetDocuments: 1 } : {};
      const handedOn = effects ? { Publish: 1, CreateTask: 1 } : {};
      // An earlier test's refused transaction may still be ending.
      const { Rollback: _, ...rpcs } = usage.rpcs;
      expect(rpcs).toEqual({ Commit: effects ? 2 : 1, ...reads, ...handedOn });
    },
  );
});

describe('an append', () => {
  it('is true the first time and false the second, which changes nothing', async () => {
    const counter = newCounter();
    expect(await services.store.append(counter, { n: 1, label: 'first' })).toBe(true);
    expect(await other.store.append(counter, { n: 2, label: 'second' })).toBe(false);
    expect(await services.store.get(counter)).toEqual({ n: 1, label: 'first' });
  });

  it('is true for one of many at once', async () => {
    const counter = newCounter();
    const results = await Promise.all(
      [1, 2, 3].map((n) => (n === 2 ? other : services).store.append(counter, { n, label: '' })),
    );
    expect(results.filter(Boolean)).toHaveLength(1);
  });

  it('costs one write and no read', async () => {
    const { usage } = await ground.cloud.meter.measure(() =>
      services.store.append(newCounter(), { n: 1, label: '' }),
    );
    expect(usage).toMatchObject({ reads: 0, writes: 1, rpcs: { Commit: 1 } });
  });
});

describe('a revision', () => {
  it('reads and writes in one transaction, so that concurrent ones all count', async () => {
    const counter = newCounter();
    await Promise.all(
      [services, other, services].map(({ store }) =>
        store.revise({ counter }, (docs) => ({
          writes: [set(counter, { n: (docs.counter?.n ?? 0) + 1, label: '' })],
          reply: null,
        })),
      ),
    );
    expect(await services.store.get(counter)).toMatchObject({ n: 3 });
  });
});

describe('documents', () => {
  it('take the defaults of fields added since they were written', async () => {
    const before = collection('counters', z.object({ n: z.int() }));
    await services.store.write([set(ref(before, 'old'), { n: 3 })]);
    expect(await services.store.get(ref(counters, 'old'))).toEqual({ n: 3, label: '' });
  });

  it('that do not fit their schema are named, not guessed at', async () => {
    const loose = collection('counters', z.object({ n: z.string() }));
    await services.store.write([set(ref(loose, 'wrong'), { n: 'three' })]);
    await expect(services.store.get(ref(counters, 'wrong'))).rejects.toThrow(
      /^counters\/wrong does not fit its schema: n: /,
    );
  });

  it('are stored without fields their schema does not know, and not at all when they do not fit', async () => {
    const counter = newCounter();
    await services.store.write([{ kind: 'set', ref: counter, doc: { n: 1, label: '', extra: 1 } }]);
    const raw = collection('counters', z.looseObject({}));
    expect(await services.store.get(ref(raw, counter.path.split('/')[1] ?? ''))).toEqual({
      n: 1,
      label: '',
    });
    await expect(
      services.store.write([{ kind: 'set', ref: counter, doc: { n: 'one' } }]),
    ).rejects.toThrow('does not fit its schema');
  });

  it('keep dates as dates, at any depth', async () => {
    const dated = collection(
      'dated',
      z.object({ at: z.date(), list: z.array(z.object({ at: z.date() })) }),
    );
    const at = new Date('2026-01-15T10:00:00.123Z');
    await services.store.write([set(ref(dated, 'd1'), { at, list: [{ at }] })]);
    expect(await services.store.get(ref(dated, 'd1'))).toEqual({ at, list: [{ at }] });
  });
});
