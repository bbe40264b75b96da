import './support/quick-retries.ts';

import fc from 'fast-check';
import { afterAll, afterEach, beforeAll, describe, expect, it } from 'vitest';

import { type FaultAction, type Faults } from '../../local/kernel/faults.ts';
import { DISTURBANCES, everyFault } from '../../local/kernel/every-fault.ts';
import { seeded } from '../../local/kernel/seeded.ts';
import { createServices } from '../../shared/google/services.ts';
import { Run, type Seen, type World, nothingSeen } from './support/execution-run.ts';
import { type Scenario, type Step, scenarios } from './support/execution-scenarios.ts';
import { type Ground, openGround } from './support/ground.ts';

/** Scenarios of each kind. */
const RUNS = Number(process.env['EXECUTION_RUNS'] ?? 40);
/** To repeat one: both are printed when it fails, and with a path it is made smaller. */
const SEED = Number(process.env['EXECUTION_SEED'] ?? 20_261_122);
const PATH = process.env['EXECUTION_PATH'];
const TIMEOUT_MS = 60_000 + RUNS * 2_000;

let ground: Ground;
let world: World;
beforeAll(async () => {
  ground = await openGround();
  world = {
    clock: ground.clock,
    pass: (ms) => ground.clock.advance(ms),
    connect() {
      const { store, kill } = createServices(ground.config, { clock: ground.clock });
      return {
        store,
        // What the dead have locked is let go, as Firestore does when their connection is gone.
        kill: () => kill().finally(() => ground.cloud.firestore.endTransactions()),
      };
    },
    tempo: 1,
    slackMs: 0,
    window: 'minute',
    random: seeded(SEED),
  };
});
afterEach(() => ground.cloud.faults.clear());
afterAll(() => ground.close());

const DISTURBED: readonly FaultAction[] = (
  ['ABORTED', 'UNAVAILABLE', 'DEADLINE_EXCEEDED'] as const
).flatMap((code): FaultAction[] => [
  { kind: 'fail', code },
  { kind: 'lose-acknowledgement', code },
]);

/** Plays scenarios, and tells what they had in them. */
async function hold(of: fc.Arbitrary<Scenario>, faultRate: number): Promise<Seen> {
  const seen = nothingSeen();
  const disturbed = fc.tuple(of, fc.nat());
  await fc.assert(
    fc.asyncProperty(disturbed, async ([scenario, seed]) => {
      const run = new Run(world, scenario, seen, faultRate > 0);
      if (faultRate > 0)
        ground.cloud.faults.random(seed, {
          probability: faultRate,
          actions: DISTURBED,
          only: ['BatchGetDocuments', 'Commit'],
        });
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
const clocks = [0, 0, 0, -5_000, 5_000];

describe('instances that share breakers, quotas and counts on Firestore', () => {
  it(
    'case 05, 16, 37, 59: hold every promise, however their calls, cancellations and crashes interleave',
    async () => {
      const seen = await hold(scenarios(limits, clocks), 0);
      for (const [what, times] of Object.entries(seen))
        if (what !== 'outages') expect(times, what).toBeGreaterThan(0);
    },
    TIMEOUT_MS,
  );

  it(
    'case 05, 37, 38, 59: nor does a call of the store that fails, or whose answer is lost, break one',
    async () => {
      const seen = await hold(scenarios(limits, clocks), 0.15);
      for (const [what, times] of Object.entries(seen)) expect(times, what).toBeGreaterThan(0);
    },
    TIMEOUT_MS,
  );
});
