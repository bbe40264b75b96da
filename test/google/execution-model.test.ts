import './support/quick-retries.ts';

import fc from 'fast-check';
import { afterAll, afterEach, beforeAll, describe, expect, it } from 'vitest';

import { DISTURBANCES, everyFault } from '../../local/kernel/every-fault.ts';
import type { FaultAction } from '../../local/kernel/faults.ts';
import { seeded } from '../../local/kernel/seeded.ts';
import { Run, type Seen, type World, nothingSeen } from './support/execution-run.ts';
import { type Rules, type Scenario, type Step, scenarios } from './support/execution-scenarios.ts';
import { type Ground, openGround } from './support/ground.ts';

/** Scenarios of each kind. */
const RUNS = Number(process.env['EXECUTION_RUNS'] ?? 25);
/** To repeat one: both are printed when it fails; with a path it is made smaller, as far as it repeats. */
const SEED = Number(process.env['EXECUTION_SEED'] ?? 20_261_122);
const PATH = process.env['EXECUTION_PATH'];
const TIMEOUT_MS = 60_000 + RUNS * 2_000;
const CONNECTIONS = 4;

let ground: Ground;
let world: World;
beforeAll(async () => {
  ground = await openGround();
  world = {
    clock: ground.clock,
    pass: (ms) => ground.clock.advance(ms),
    stores: Array.from({ length: CONNECTIONS }, () => ground.instance().store),
    work: new Set(),
    tempo: 1,
    slackMs: 0,
    window: 'minute',
    random: seeded(SEED),
  };
});
afterEach(() => ground.cloud.faults.clear());
afterAll(async () => {
  await Promise.allSettled(world.work);
  await ground.close();
});

const codes = ['ABORTED', 'UNAVAILABLE', 'DEADLINE_EXCEEDED'] as const;
const FAILURES = codes.map((code): FaultAction => ({ kind: 'fail', code }));
const LOSSES = codes.map((code): FaultAction => ({ kind: 'lose-acknowledgement', code }));

/** A read whose answer is lost would leave a lock that only time ends. */
function disturb(seed: number, probability: number): void {
  const { faults } = ground.cloud;
  faults.random(seed, { probability, actions: FAILURES, only: ['BatchGetDocuments'] });
  faults.random(seed + 1, { probability, actions: [...FAILURES, ...LOSSES], only: ['Commit'] });
}

/** Plays scenarios, and tells what they had in them. */
async function hold(of: fc.Arbitrary<Scenario>, faultRate: number): Promise<Seen> {
  const seen = nothingSeen();
  await fc.assert(
    fc.asyncProperty(of, fc.nat(), async (scenario, seed) => {
      const run = new Run(world, scenario, seen, faultRate > 0);
      if (faultRate > 0) disturb(seed, faultRate);
      await run.play(scenario.steps);
      ground.cloud.faults.clear();
      expect(await run.end()).toEqual([]);
    }),
    {
      numRuns: RUNS,
      seed: SEED,
      endOnFailure: PATH === undefined,
      ...(PATH !== undefined && { path: PATH }),
    },
  );
  return seen;
}

const limits = [null, null, 2, 5, 12, 40];
const skewsMs = [0, 0, 0, -5_000, 5_000];

/** What a run has to have in it, lest it prove nothing. */
const WHAT = [
  'probes',
  'opened',
  'closed',
  'refusedByBreaker',
  'refusedByQuota',
  'cancelled',
  'killed',
] as const;

describe('instances that share breakers, quotas and counts', () => {
  it(
    'case 05, 12, 16, 18, 37, 59: keep every promise, however calls, cancellations and deaths interleave',
    async () => {
      const seen = await hold(scenarios(limits, skewsMs), 0);
      for (const what of WHAT) expect(seen[what], what).toBeGreaterThan(0);
    },
    TIMEOUT_MS,
  );

  it(
    'case 05, 12, 20, 37, 38, 59: keep them while calls of the store fail, and answers are lost',
    async () => {
      const seen = await hold(scenarios(limits, skewsMs), 0.15);
      for (const what of WHAT) expect(seen[what], what).toBeGreaterThan(0);
    },
    TIMEOUT_MS,
  );

  it.each([1, 2, 3])(
    'case 05, 12: probe with %i calls at once, whoever comes when the cooldown ends, and dies at it',
    async (halfOpenMaxCalls) => {
      const seen = nothingSeen();
      const rules = { ...RULES, halfOpenMaxCalls, limit: null };
      const run = new Run(world, { rules, skewsMs: [0, 0, 0, 0, 0, 0] }, seen, false);
      const probes = [0, 1, 2, 3, 4, 5].map((instance): [Step, number] => [
        { do: 'call', instance, tenant: 0, answers: [{ kind: 'slow', ms: 4_000, fails: false }] },
        0,
      ]);
      await run.play([
        call(failing),
        call(failing),
        rest,
        [{ do: 'pass', ms: 10_000 }, 0],
        ...probes,
        rest,
      ]);
      expect(seen).toMatchObject({ probes: halfOpenMaxCalls, probesAtOnce: halfOpenMaxCalls });
      for (let instance = 0; instance < 6; instance++) run.kill(instance);
      expect(await run.end()).toEqual([]);
    },
  );
});

const failing = { kind: 'fail', reason: 'internal_error' } as const;
const call = (...answers: Extract<Step, { do: 'call' }>['answers']): [Step, number] => [
  { do: 'call', instance: 0, tenant: 0, answers },
  0,
];
const rest: [Step, number] = [{ do: 'rest' }, 0];

/** An instance takes a lease, opens a breaker, waits, probes, closes it, and writes what it counted. */
const LIFE: Scenario['steps'] = [
  call({ kind: 'ok' }),
  rest,
  call(failing),
  rest,
  call(failing),
  rest,
  call({ kind: 'ok' }),
  rest,
  [{ do: 'pass', ms: 10_000 }, 0],
  call({ kind: 'ok' }),
  rest,
  call({ kind: 'ok' }),
  [{ do: 'flush', instance: 0 }, 0],
  rest,
];
const RULES: Rules = {
  scope: 'tenant',
  failureThreshold: 2,
  halfOpenMaxCalls: 1,
  successThreshold: null,
  maxAttempts: 1,
  limit: 6,
};

describe('the life of an instance', () => {
  const newRun = (seen: Seen) => new Run(world, { rules: RULES, skewsMs: [0] }, seen, true);

  it(
    'case 12, 16, 38, 59: breaks no promise, whichever of its calls fails or is its last',
    async () => {
      const seen = nothingSeen();
      const { calls } = await everyFault(({ run }: { run: Run }) => run.play(LIFE), {
        open: async () => ({ run: newRun(seen), faults: ground.cloud.faults }),
        actions: DISTURBANCES.filter(({ kind }) => kind !== 'lose-acknowledgement'),
        recover: async ({ run }) => run.kill(0),
        check: async ({ run }) => {
          // The locks of the dead end by themselves after a minute.
          ground.cloud.firestore.endTransactions();
          expect(await run.end()).toEqual([]);
        },
      });
      expect(calls).toBeGreaterThan(10);
      expect(seen.probes).toBeGreaterThan(calls);
    },
    TIMEOUT_MS,
  );

  it.each(codes)(
    'case 16, 39, 59: breaks no promise, whichever of its commits is applied and answered %s',
    async (code) => {
      const seen = nothingSeen();
      let isStruck = true;
      for (let after = 0; isStruck; after++) {
        isStruck = false;
        const run = newRun(seen);
        ground.cloud.faults.inject({
          rpc: 'Commit',
          after,
          action: { kind: 'lose-acknowledgement', code },
          onStrike: () => (isStruck = true),
        });
        await run.play(LIFE);
        ground.cloud.faults.clear();
        expect(await run.end(), `commit ${after}`).toEqual([]);
      }
      expect(seen.probes).toBeGreaterThan(10);
    },
    TIMEOUT_MS,
  );
});
