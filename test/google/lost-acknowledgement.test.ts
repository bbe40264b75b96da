import './support/quick-retries.ts';

import { afterAll, afterEach, beforeAll, describe, expect, it } from 'vitest';

import { AppError } from '../../shared/errors.ts';
import { create } from '../../shared/store/decision.ts';
import { announcedIncrement, commandAt, increment, newCounter } from './support/counters.ts';
import { type Ground, type Instance, openGround } from './support/ground.ts';
import { type Seen, watch } from './support/published.ts';

let ground: Ground;
let services: Instance;
let seen: Seen;
beforeAll(async () => {
  ground = await openGround();
  services = ground.instance();
  seen = await watch(ground.config, 'aex-provider-events');
  const warmUp = newCounter();
  await services.store.apply(command(), { counter: warmUp }, announcedIncrement(warmUp));
  await seen.events();
});
afterEach(() => ground.cloud.faults.clear());
afterAll(async () => {
  await seen.close();
  await ground.close();
});

const command = (key?: string) => commandAt(ground.now(), key);

/** Loses the acknowledgement of so many commits, all of which are applied. */
const loseAcknowledgements = (times: number) =>
  ground.cloud.faults.inject({ rpc: 'Commit', times, action: { kind: 'lose-acknowledgement' } });

/** Client-side attempts of one transaction; each sends its commit twice when it hears nothing. */
const ATTEMPTS = 5;

describe('a commit whose acknowledgement is lost', () => {
  it.each([1, 2, 3, 2 * ATTEMPTS - 1])(
    'is applied once and answered with its first reply: lost %i times',
    async (times) => {
      const counter = newCounter();
      loseAcknowledgements(times);
      expect(await services.store.apply(command(), { counter }, increment(counter))).toEqual({
        reply: 1,
        replayed: false,
      });
      expect(await services.store.get(counter)).toMatchObject({ n: 1 });
    },
  );

  it('is found again when every attempt was lost and the client gave up', async () => {
    const counter = newCounter();
    loseAcknowledgements(Infinity);
    expect(await services.store.apply(command(), { counter }, increment(counter))).toEqual({
      reply: 1,
      replayed: false,
    });
    expect(await services.store.get(counter)).toMatchObject({ n: 1 });
  });

  it.each([undefined, 'created-once'])(
    'does not take its own effect for a conflict: a command with key %s',
    async (key) => {
      const counter = newCounter();
      loseAcknowledgements(1);
      const rule = (docs: { counter: unknown }) => {
        if (docs.counter) throw new AppError('name_taken', 'taken');
        return { writes: [create(counter, { n: 1, label: 'mine' })], reply: 'created' };
      };
      expect(await services.store.apply(command(key), { counter }, rule)).toEqual({
        reply: 'created',
        replayed: false,
      });
    },
  );

  it('without any document to read is applied once as well', async () => {
    const counter = newCounter();
    loseAcknowledgements(1);
    const applied = services.store.apply(command(), {}, () => ({
      writes: [create(counter, { n: 1, label: '' })],
      reply: 'created',
    }));
    expect(await applied).toEqual({ reply: 'created', replayed: false });
  });

  it('still has its events published, once each', async () => {
    const counter = newCounter();
    ground.cloud.faults.inject({
      rpc: 'Commit',
      times: 1,
      action: { kind: 'lose-acknowledgement' },
    });
    await services.store.apply(command(), { counter }, announcedIncrement(counter));
    const events = await seen.events();
    expect(events.map(({ envelope }) => envelope['subject'])).toEqual([counter.path]);
    expect(
      await services.outbox.relay({ minAgeMs: 0, budgetMs: 60_000, after: null }),
    ).toMatchObject({ relayed: 0, left: 0 });
  });

  it('of an append answers false, and the document is there once', async () => {
    const counter = newCounter();
    loseAcknowledgements(1);
    expect(await services.store.append(counter, { n: 1, label: 'mine' })).toBe(false);
    expect(await services.store.get(counter)).toEqual({ n: 1, label: 'mine' });
  });
});

describe('a store out of reach', () => {
  it('is reported as unavailable, with the time to wait, and nothing was written', async () => {
    const counter = newCounter();
    ground.cloud.faults.inject({
      rpc: 'Commit',
      times: Infinity,
      action: { kind: 'fail', code: 'ABORTED' },
    });
    const failed = services.store.apply(command(), { counter }, increment(counter));
    await expect(failed).rejects.toMatchObject({ code: 'unavailable', retryAfterS: 2 });
    expect(await services.store.get(counter)).toBeNull();
  });

  it('for a moment is not noticed', async () => {
    const counter = newCounter();
    ground.cloud.faults.inject({
      rpc: '*',
      times: 3,
      action: { kind: 'fail', code: 'UNAVAILABLE' },
    });
    expect(await services.store.apply(command(), { counter }, increment(counter))).toEqual({
      reply: 1,
      replayed: false,
    });
  });
});
