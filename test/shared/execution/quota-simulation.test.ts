import fc from 'fast-check';
import { describe, expect, it } from 'vitest';

import type { QuotaPolicy } from '../../../shared/execution/policy.ts';
import { type Scenario, scenarios, simulate } from './quota-simulation.ts';

/** These are counted on simulated time; the time they take says nothing. */
const TIMEOUT_MS = 60_000;

const utc = { time_zone: 'UTC', outage: 'refuse', outage_allowance: 0 } as const;
const policies: readonly QuotaPolicy[] = [
  { minute: 200 },
  { minute: 250, hour: 400, day: 450 },
  { minute: 150, hour: 200, month: 5_000, time_zone: 'Asia/Kolkata' },
  { hour: 300 },
].map((limits) => ({ ...utc, ...limits }));

/** Over the end of a minute and, where a policy’s zone has one there, of an hour and a day. */
const crowded = {
  callsPerS: 16,
  instances: 6,
  lifeS: 25,
  durationS: 48,
  startMs: Date.UTC(2026, 0, 15, 18, 29, 35),
} as const;
const SEEDS = 100;

const faultMixes: Record<string, Partial<Scenario> & { crashes: number }> = {
  'no faults': { crashes: 0 },
  'nothing but crashes': { crashes: 1, lifeS: 15 },
  'lost acknowledgements': { crashes: 0.5, lostAcknowledgements: 0.05 },
  'failed requests, applied or not': { crashes: 0.3, unknownOutcomes: 0.1, failures: 0.1 },
  'units that come back': { crashes: 0.2, givenBack: 0.3, lostAcknowledgements: 0.02 },
  'clocks that are 5 s off, and all of it': {
    crashes: 0.2,
    lostAcknowledgements: 0.05,
    unknownOutcomes: 0.05,
    failures: 0.05,
    givenBack: 0.2,
    skewMs: 5_000,
  },
  'clocks that are an hour off, and all of it': {
    crashes: 0.2,
    lostAcknowledgements: 0.05,
    unknownOutcomes: 0.05,
    failures: 0.05,
    givenBack: 0.2,
    skewMs: 3_600_000,
    lifeS: 15,
  },
};

describe('case 37: instances that share a quota', () => {
  it.each(Object.entries(faultMixes))(
    'case 37: never exceed a limit, in 100 seeds, with %s',
    async (_, mix) => {
      for (let seed = 1; seed <= SEEDS; seed++) {
        const policy = policies[seed % policies.length] ?? { ...utc, minute: 1 };
        const { served, overshoot, violations } = await simulate({
          ...crowded,
          ...mix,
          policy,
          seed,
        });
        expect({ seed, overshoot, violations }).toEqual({ seed, overshoot: 0, violations: 0 });
        expect(served).toBeGreaterThan(50);
      }
    },
    TIMEOUT_MS,
  );

  it(
    'case 37: nor under any mix of faults, limits and traffic',
    async () => {
      const share = fc.double({ min: 0, max: 0.3, noNaN: true });
      const cases = fc.record({
        policy: fc.record({
          minute: fc.integer({ min: 0, max: 400 }),
          hour: fc.integer({ min: 0, max: 800 }),
          time_zone: fc.constantFrom('UTC', 'Asia/Kathmandu', 'America/New_York'),
          outage: fc.constant(utc.outage),
          outage_allowance: fc.constant(0),
        }),
        seed: fc.integer({ min: 1, max: 1_000_000 }),
        callsPerS: fc.integer({ min: 1, max: 40 }),
        instances: fc.integer({ min: 1, max: 12 }),
        lifeS: fc.integer({ min: 5, max: 100 }),
        durationS: fc.constant(90),
        crashes: fc.double({ min: 0, max: 1, noNaN: true }),
        lostAcknowledgements: share,
        unknownOutcomes: share,
        failures: share,
        givenBack: share,
        skewMs: fc.constantFrom(0, 100, 5_000, 3_600_000),
        startMs: fc.integer({ min: 0, max: 60_000 }).map((ms) => Date.UTC(2026, 2, 8, 6, 59) + ms),
      });
      await fc.assert(
        fc.asyncProperty(cases, async (scenario) => {
          const { overshoot, violations } = await simulate(scenario);
          expect({ overshoot, violations }).toEqual({ overshoot: 0, violations: 0 });
        }),
        { numRuns: 60 },
      );
    },
    TIMEOUT_MS,
  );
});

const clean = { overshoot: 0, violations: 0 };

describe('what leases cost and leave', () => {
  it(
    'A: steady traffic takes at most 0.055 reads and writes a call, and is all served',
    async () => {
      const figures = await simulate(scenarios['A steady: 10/s, 10 instances, 100,000 an hour']);
      expect(figures).toMatchObject({ ...clean, served: figures.calls });
      expect(figures.readsPerCall).toBeLessThanOrEqual(0.055);
      expect(figures.writesPerCall).toBeLessThanOrEqual(0.055);
    },
    TIMEOUT_MS,
  );

  it(
    'B: 200 calls a second are served, with less than one write a second to their document',
    async () => {
      const figures = await simulate({
        ...scenarios['B hot: 200/s, 40 instances, 1,000,000 an hour'],
        durationS: 1_200,
      });
      expect(figures).toMatchObject(clean);
      expect(figures.served / figures.calls).toBeGreaterThanOrEqual(0.99);
      expect(figures.writesPerS).toBeLessThan(1);
      expect(figures.waited).toBeLessThan(0.01);
    },
    TIMEOUT_MS,
  );

  it(
    'C: a limit at half of the demand is used up, and little is refused before it is',
    async () => {
      const figures = await simulate(scenarios['C tight: 20/s, 20 instances, 600 a minute']);
      expect(figures).toMatchObject(clean);
      expect(figures.utilisation).toBeGreaterThan(0.99);
      expect(figures.earlyRefusals).toBeLessThan(0.01);
      expect(figures.writesPerCall).toBeLessThan(0.2);
    },
    TIMEOUT_MS,
  );

  it('D: sparse traffic of short-lived instances strands nothing', async () => {
    const figures = await simulate(
      scenarios['D sparse: 0.2/s, 3 instances of a minute, 1,000 a day'],
    );
    expect(figures).toMatchObject(clean);
    expect(figures.utilisation).toBeGreaterThan(0.99);
    expect(figures.writesPerCall).toBeLessThan(0.75);
    expect(figures.readsPerCall).toBeLessThan(0.85);
  });

  it(
    'E: a day’s limit is used up almost to the last, cheaply',
    async () => {
      const figures = await simulate(scenarios['E over: 5/s, 10 instances, 10,000 a day']);
      expect(figures).toMatchObject(clean);
      expect(figures.utilisation).toBeGreaterThan(0.98);
      expect(figures.writesPerCall).toBeLessThan(0.08);
    },
    TIMEOUT_MS,
  );

  it(
    'F: instances that all crash strand no more than they use, and leave a small document',
    async () => {
      const figures = await simulate(
        scenarios['F churn: 5/s, 10 instances of 30 s that all crash, 100,000 an hour'],
      );
      expect(figures).toMatchObject(clean);
      expect(figures.served / figures.calls).toBeGreaterThan(0.999);
      expect(figures.writesPerS).toBeLessThan(1.1);
      expect(figures.chargedPerUnit).toBeLessThan(2);
      expect(figures.holders).toBeLessThan(60);
    },
    TIMEOUT_MS,
  );
});
