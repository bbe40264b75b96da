/*
 * Quota leases on simulated time: store operations per call, how much of the limit gets used, and that
 * it is never exceeded. Nothing here is timed: a seed gives the same figures. `node bench/quota.ts`
 */
import { scenarios, simulate } from '../test/shared/execution/quota-simulation.ts';
import { report } from './support.ts';

const round = (value: number): number => Math.round(value * 10_000) / 10_000;

for (const [name, scenario] of Object.entries(scenarios)) {
  const figures = await simulate(scenario);
  const rounded = Object.entries(figures).map(([what, value]) => [what, round(value)]);
  report('quota', name, Object.fromEntries(rounded));
}
