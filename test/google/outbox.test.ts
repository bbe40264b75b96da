import './support/quick-retries.ts';

import { afterAll, afterEach, beforeAll, describe, expect, it } from 'vitest';

import type { Services } from '../../shared/runtime/services.ts';
import type { Ref } from '../../shared/store/collection.ts';
import type { Rule } from '../../shared/store/decision.ts';
import {
  type Counter,
  announcedIncrement,
  commandAt,
  increment,
  incremented,
  newCounter,
} from './support/counters.ts';
import { crashAt } from './support/crash.ts';
import { type Ground, openGround } from './support/ground.ts';
import { type Seen, watch } from './support/published.ts';

const MINUTE_MS = 60_000;

let ground: Ground;
let services: Services;
let seen: Seen;
beforeAll(async () => {
  ground = await openGround();
  services = ground.instance();
  seen = await watch(ground.config, 'aex-provider-events');
});
afterEach(async () => {
  ground.cloud.faults.clear();
  await services.outbox.relay({ minAgeMs: 0, budgetMs: 60_000, after: null });
  await seen.events();
});
afterAll(async () => {
  await seen.close();
  await ground.close();
});

const command = (key?: string) => commandAt(ground.now(), key);
const relay = async () => {
  const run = { minAgeMs: MINUTE_MS, budgetMs: MINUTE_MS, after: null };
  const { relayed, left } = await services.outbox.relay(run);
  return { relayed, left };
};

const announce = (counter: Ref<Counter>) => (instance: Services) =>
  instance.store.apply(command(), { counter }, announcedIncrement(counter));

describe('the events of a commit', () => {
  it('are published before the reply, in the envelope, with their kind as an attribute', async () => {
    const counter = newCounter();
    await announce(counter)(services);
    expect(await seen.events()).toEqual([
      {
        attributes: { event_type: 'counter.incremented', subject: counter.path, version: '1' },
        envelope: {
          event_id: expect.stringMatching(/^evt_[0-9a-f]{32}$/),
          event_type: 'counter.incremented',
          schema_version: '1.0',
          idempotency_key: `counter.incremented/${counter.path}/1/0`,
          timestamp: ground.now().toISOString(),
          source: 'purvey',
          subject: counter.path,
          version: 1,
          n: 1,
          data: { n: 1 },
        },
      },
    ]);
  });

  it('leave nothing in the outbox', async () => {
    await announce(newCounter())(services);
    await ground.clock.advance(MINUTE_MS);
    expect(await relay()).toMatchObject({ relayed: 0, left: 0 });
    expect(await seen.events()).toHaveLength(1);
  });

  it('have an id each', async () => {
    const counter = newCounter();
    const rule: Rule<{ counter: Ref<Counter> }, null> = () => ({
      writes: [],
      events: [incremented(counter, 1), incremented(counter, 1)],
      reply: null,
    });
    await services.store.apply(command(), { counter }, rule);
    const ids = (await seen.events()).map(({ envelope }) => envelope['event_id']);
    expect(new Set(ids).size).toBe(2);
  });

  it('are not published again when the command is', async () => {
    const counter = newCounter();
    const again = () =>
      services.store.apply(command('again'), { counter }, announcedIncrement(counter));
    await again();
    await again();
    expect(await seen.events()).toHaveLength(1);
  });
});

describe('a crash', () => {
  it('before the event was published: the relay publishes it once it is a minute old', async () => {
    const counter = newCounter();
    await crashAt(ground, { rpc: 'Publish' }, 'crash-before', announce(counter));
    expect(await services.store.get(counter)).toMatchObject({ n: 1 });
    expect(await seen.events()).toEqual([]);

    await ground.clock.advance(MINUTE_MS - 1);
    expect(await relay()).toMatchObject({ relayed: 0, left: 0 });
    expect(await seen.events()).toEqual([]);

    await ground.clock.advance(1);
    expect(await relay()).toEqual({ relayed: 1, left: 0 });
    expect(await seen.events()).toMatchObject([{ envelope: { subject: counter.path, n: 1 } }]);
    expect(await relay()).toMatchObject({ relayed: 0, left: 0 });
    expect(await seen.events()).toEqual([]);
  });

  it.each([
    ['after it was published, before that was known', { rpc: 'Publish' }, 'crash'],
    [
      'after it was published, before the entry was removed',
      { rpc: 'Commit', after: 1 },
      'crash-before',
    ],
  ] as const)('%s: it comes again as the same event', async (_when, rule, action) => {
    const counter = newCounter();
    await crashAt(ground, rule, action, announce(counter));
    const [first] = await seen.events();
    await ground.clock.advance(MINUTE_MS);
    expect(await relay()).toEqual({ relayed: 1, left: 0 });
    const [second] = await seen.events();
    expect(first?.envelope['event_id']).toMatch(/^evt_/);
    expect(second).toEqual(first);
  });

  it('before the commit leaves nothing behind', async () => {
    const counter = newCounter();
    await crashAt(ground, { rpc: 'Commit' }, 'crash-before', announce(counter));
    await ground.clock.advance(MINUTE_MS);
    expect(await relay()).toMatchObject({ relayed: 0, left: 0 });
    expect(await services.store.get(counter)).toBeNull();
  });

  it('right after the commit: a retry of the keyed command answers, and the relay publishes', async () => {
    const counter = newCounter();
    const keyed = (instance: Services) =>
      instance.store.apply(command('retried'), { counter }, announcedIncrement(counter));
    await crashAt(ground, { rpc: 'Commit' }, 'crash', keyed);
    expect(await keyed(services)).toEqual({ reply: 1, replayed: true });
    await ground.clock.advance(MINUTE_MS);
    expect(await relay()).toEqual({ relayed: 1, left: 0 });
    expect(await seen.events()).toHaveLength(1);
    expect(await services.store.get(counter)).toMatchObject({ n: 1 });
  });
});

describe('the tasks of a commit', () => {
  const planAfter = (name: string, at?: Date) => (instance: Services) => {
    const counter = newCounter();
    return instance.store.apply(command(), { counter }, (docs, given) => ({
      ...increment(counter)(docs, given),
      tasks: [{ function: 'plan-rfq', name, payload: { name }, ...(at && { at }) }],
    }));
  };
  const planned = async (name: string) =>
    (await seen.tasks('rfq-planning')).filter(
      ({ payload }) => (payload as { name: string }).name === name,
    );

  it('are calls of their function under the identity of Cloud Tasks, at their time', async () => {
    const url = ground.config.function_url.replace('{name}', 'plan-rfq');
    const at = new Date(ground.clock.nowMs() + 90_500);
    await planAfter('later', at)(services);
    expect(await planned('later')).toEqual([
      {
        name: expect.stringMatching(/\/queues\/rfq-planning\/tasks\/[0-9a-f]{40}$/),
        url,
        payload: { name: 'later' },
        atMs: at.getTime(),
        identity: 'tasks@purvey-local.iam.gserviceaccount.com',
        audience: url,
      },
    ]);
  });

  it('of one name are one task', async () => {
    const at = new Date(ground.clock.nowMs() + 3_600_000);
    await planAfter('same', at)(services);
    await planAfter('same', at)(services);
    expect(await planned('same')).toHaveLength(1);
    await ground.clock.advance(MINUTE_MS);
    expect(await relay()).toMatchObject({ relayed: 0, left: 0 });
  });

  it.each(['crash-before', 'crash'] as const)(
    'survive a crash while they are enqueued (%s), as one task',
    async (action) => {
      const at = new Date(ground.clock.nowMs() + 3_600_000);
      await crashAt(ground, { rpc: 'CreateTask' }, action, planAfter(action, at));
      expect(await planned(action)).toHaveLength(action === 'crash' ? 1 : 0);
      await ground.clock.advance(MINUTE_MS);
      expect(await relay()).toEqual({ relayed: 1, left: 0 });
      expect(await planned(action)).toMatchObject([{ payload: { name: action }, atMs: +at }]);
    },
  );
});

describe('what cannot be handed on', () => {
  it('does not fail the command: it is committed', async () => {
    const counter = newCounter();
    ground.cloud.faults.inject({
      rpc: 'Publish',
      times: Infinity,
      action: { kind: 'fail', code: 'PERMISSION_DENIED' },
    });
    expect(await announce(counter)(services)).toEqual({ reply: 1, replayed: false });
  });

  it('stays for the next relay and holds up no other entry', async () => {
    const [stuck, free] = [newCounter(), newCounter()];
    const deny = ground.cloud.faults.inject({
      rpc: 'Publish',
      times: Infinity,
      when: (request) => JSON.stringify(request).includes(stuck.path),
      action: { kind: 'fail', code: 'PERMISSION_DENIED' },
    });
    await announce(stuck)(services);
    await crashAt(ground, { rpc: 'Publish' }, 'crash-before', announce(free));
    await ground.clock.advance(MINUTE_MS);
    expect(await relay()).toEqual({ relayed: 1, left: 1 });
    deny();
    expect(await relay()).toEqual({ relayed: 1, left: 0 });
    const subjects = (await seen.events()).map(({ envelope }) => envelope['subject']);
    expect(subjects).toEqual([free.path, stuck.path]);
  });

  const leaveBehind = async (count: number) => {
    const deny = ground.cloud.faults.inject({
      rpc: 'Publish',
      times: Infinity,
      action: { kind: 'fail', code: 'PERMISSION_DENIED' },
    });
    for (let i = 0; i < count; i++) await announce(newCounter())(services);
    deny();
    await ground.clock.advance(MINUTE_MS);
  };

  it('is found however many entries there are', async () => {
    await leaveBehind(105);
    expect(await relay()).toEqual({ relayed: 105, left: 0 });
    expect(await seen.events()).toHaveLength(105);
  });

  it('that one run has no time for is found by the next, which goes on where that one stopped', async () => {
    await leaveBehind(103);
    const run = { minAgeMs: MINUTE_MS, budgetMs: -1 };
    const first = await services.outbox.relay({ ...run, after: null });
    expect(first).toMatchObject({ relayed: 100, next: expect.any(String) });
    const second = await services.outbox.relay({ ...run, after: first.next });
    expect(second).toEqual({ relayed: 3, left: 0, next: null });
  });
});
