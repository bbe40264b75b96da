import { randomBytes } from 'node:crypto';

import fc from 'fast-check';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';

import { seeded } from '../../../local/kernel/seeded.ts';
import { createServices } from '../../../shared/google/services.ts';
import { loadConfig } from '../../../shared/runtime/config.ts';
import type { Instance } from '../../google/support/ground.ts';
import { Run, type World, nothingSeen } from '../../google/support/execution-run.ts';
import { scenarios } from '../../google/support/execution-scenarios.ts';

// Keeps Google's client from looking for a metadata server.
process.env['METADATA_SERVER_DETECTION'] = 'none';

/** `host:port` of the Firestore to run on; `npm run test:emulators` sets it. */
const emulator = process.env['FIRESTORE_EMULATOR_UNDER_TEST'];
/** Scenarios; several are played at a time. */
const RUNS = Number(process.env['EXECUTION_RUNS'] ?? 16);
/** To repeat a run; it is printed. What interleaves is never quite the same. */
const SEED = Number(process.env['EXECUTION_SEED'] ?? Date.now() % 2 ** 31);
const AT_ONCE = 8;
const CONNECTIONS = 4;
const TIMEOUT_MS = 60_000 + RUNS * 5_000;

const say = (what: string) => process.stdout.write(`execution model: ${what}\n`);

/** The machine's time, which is the emulator's. */
const clock = {
  nowMs: Date.now,
  at(dueMs: number, fire: () => void) {
    const timer = setTimeout(fire, Math.max(0, dueMs - Date.now()));
    return { cancel: () => clearTimeout(timer) };
  },
};

/** The embedded cloud's model (test/google/execution-model.test.ts) in real time, ten times as fast. */
describe.skipIf(!emulator)("instances of the execution layer on Google's emulator", () => {
  const instances: Instance[] = [];
  let world: World;

  beforeAll(() => {
    const config = loadConfig({
      GOOGLE_CLOUD_PROJECT: `purvey-${randomBytes(4).toString('hex')}`,
      PURVEY_CLOUD_ENDPOINT: emulator ?? '',
      PURVEY_OPERATOR_KEY: `pv_op_${'0'.repeat(64)}`,
      PURVEY_HMAC_KEY: 'f'.repeat(64),
      PURVEY_LOG_LEVEL: 'silent',
    });
    for (let i = 0; i < CONNECTIONS; i++) instances.push(createServices(config));
    world = {
      clock,
      pass: (ms) => new Promise((done) => void setTimeout(done, ms)),
      stores: instances.map(({ store }) => store),
      work: new Set(),
      tempo: 0.1,
      slackMs: 100,
      // A minute would be long to wait for.
      window: 'day',
      random: seeded(SEED),
    };
  });
  afterAll(async () => {
    await Promise.allSettled(world.work);
    await Promise.all(instances.map(({ close }) => close()));
  });

  test(
    'case 05, 12, 16, 18, 37, 59: keep every promise, however calls, cancellations and deaths interleave',
    async () => {
      say(`${RUNS} scenarios, seed ${SEED}`);
      const seen = nothingSeen();
      const left = fc.sample(scenarios([null, 2, 5, 12, 40], [0, 0, -500, 500]), {
        numRuns: RUNS,
        seed: SEED,
      });
      const playOne = async () => {
        for (let scenario = left.pop(); scenario; scenario = left.pop()) {
          const run = new Run(world, scenario, seen, false);
          await run.play(scenario.steps);
          expect(await run.end(), JSON.stringify(scenario)).toEqual([]);
        }
      };
      await Promise.all(Array.from({ length: AT_ONCE }, playOne));
      say(JSON.stringify(seen));
      for (const what of ['probes', 'closed', 'refusedByQuota', 'killed'] as const)
        expect(seen[what], what).toBeGreaterThan(0);
    },
    TIMEOUT_MS,
  );
});
