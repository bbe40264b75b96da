import {
  BrokenCircuitError,
  CircuitState,
  ConsecutiveBreaker,
  IterableBackoff,
  circuitBreaker,
  handleAll,
} from 'cockatiel';
import fc from 'fast-check';
import { afterEach, beforeEach, describe, expect, it, vi } from 'vitest';

import {
  type Breaker,
  CLOSED,
  type Permit,
  admit,
  claimProbe,
  settle,
} from '../../../shared/execution/breaker.ts';
import type { BreakerPolicy } from '../../../shared/execution/policy.ts';

/*
 * The breaker against cockatiel's, over the same results at the same times. They agree for one call at a
 * time that either succeeds or fails. Elsewhere ours differs on purpose:
 * - a probe beyond the maximum is refused at once; cockatiel's waits for the others, for ever if one hangs;
 * - a probe's slot expires;
 * - a result of an earlier era counts for nothing; cockatiel's reopens a half-open circuit;
 * - a cancelled probe frees its slot; cockatiel's counts as a success and closes the circuit;
 * - half open survives a restart with its probes; cockatiel's comes back open and due, without them;
 * - what an operator opened can be released after a restart;
 * - how many probes run at once and how many must succeed are two settings;
 * - a cooldown that a clock far ahead began is cut, and a provider's pause holds beside the states;
 * - failures can stand for several, and may have to come from several tenants.
 */

const t0 = Date.UTC(2026, 2, 1, 12);
const COOLDOWN_MS = 1_000;
const MAX_COOLDOWN_MS = 5_000;
/** A call is over before the clock moves on: no slot ever expires. */
const SLOT_MS = 1;

const aPolicy = (
  failureThreshold: number,
  probes: number,
  cooldownMultiplier: number,
): BreakerPolicy => ({
  scope: 'tenant',
  failureThreshold,
  openCooldownMs: COOLDOWN_MS,
  cooldownMultiplier,
  maxCooldownMs: MAX_COOLDOWN_MS,
  halfOpenMaxCalls: probes,
  successThreshold: probes,
  tenantsMin: 1,
});

type Step =
  | { readonly do: 'call'; readonly succeeds: boolean }
  | { readonly do: 'tick'; readonly ms: number }
  | { readonly do: 'restart' };

const steps: fc.Arbitrary<Step> = fc.oneof(
  {
    weight: 6,
    arbitrary: fc.record({ do: fc.constant('call' as const), succeeds: fc.boolean() }),
  },
  {
    weight: 4,
    arbitrary: fc.record({
      do: fc.constant('tick' as const),
      // To the boundary of a cooldown, around it, anywhere, and back.
      ms: fc.oneof(
        fc.constantFrom(-1, 1, 999, 1_000, 1_001, 2_000, 4_000, 5_000),
        fc.integer({ min: -2_000, max: 6_000 }),
      ),
    }),
  },
  { weight: 1, arbitrary: fc.record({ do: fc.constant('restart' as const) }) },
);

interface Observation {
  readonly admitted: boolean;
  readonly state: Breaker['state'];
}

/** One way of doing what the steps ask. */
interface Subject {
  call(succeeds: boolean): Promise<Observation>;
  restart(): void;
}

function ours(policy: BreakerPolicy): Subject {
  let breaker = CLOSED;
  let calls = 0;
  const permit = (nowMs: number): Permit | null => {
    const admission = admit(breaker, nowMs, policy);
    if (admission.kind === 'refused') return null;
    if (admission.kind === 'closed') return { epoch: breaker.epoch, probeId: null };
    const probe = { id: `p${calls++}`, expiresAtMs: nowMs + SLOT_MS };
    const claim = claimProbe(breaker, probe, nowMs, policy);
    breaker = claim.breaker;
    return claim.permit;
  };
  return {
    async call(succeeds) {
      const nowMs = Date.now();
      const granted = permit(nowMs);
      if (granted)
        breaker = settle(breaker, granted, succeeds ? 'success' : 'failure', {}, nowMs, policy);
      return { admitted: granted !== null, state: breaker.state };
    },
    restart() {
      breaker = JSON.parse(JSON.stringify(breaker)) as Breaker;
    },
  };
}

function cockatiels(policy: BreakerPolicy): Subject {
  const { failureThreshold, halfOpenMaxCalls, cooldownMultiplier } = policy;
  const cooldownsMs = Array.from({ length: 10 }, (_, n) =>
    Math.min(COOLDOWN_MS * cooldownMultiplier ** n, MAX_COOLDOWN_MS),
  );
  const built = (initialState?: unknown) =>
    circuitBreaker(handleAll, {
      breaker: new ConsecutiveBreaker(failureThreshold),
      halfOpenAfter: new IterableBackoff(cooldownsMs),
      halfOpenSampling: { calls: halfOpenMaxCalls, threshold: 0 },
      initialState,
    });
  const failure = new Error('down');
  let circuit = built();
  return {
    async call(succeeds) {
      const thrown: unknown = await circuit
        .execute(() => {
          if (!succeeds) throw failure;
        })
        .then(
          () => null,
          (error: unknown) => error,
        );
      // What is thrown is either the call's own failure or a refusal.
      const admitted = !(thrown instanceof BrokenCircuitError);
      if (admitted) expect(thrown).toBe(succeeds ? null : failure);
      return { admitted, state: nameOf(circuit.state) };
    },
    restart() {
      // It would come back open, and forget the probes that succeeded.
      if (circuit.state === CircuitState.HalfOpen) return;
      circuit = built(JSON.parse(JSON.stringify(circuit)));
    },
  };
}

function nameOf(state: CircuitState): Breaker['state'] {
  if (state === CircuitState.Closed) return 'closed';
  return state === CircuitState.HalfOpen ? 'half_open' : 'open';
}

async function observationsOf(subject: Subject, sequence: readonly Step[]): Promise<Observation[]> {
  const observations: Observation[] = [];
  vi.setSystemTime(t0);
  for (const step of sequence)
    if (step.do === 'call') observations.push(await subject.call(step.succeeds));
    else if (step.do === 'tick') vi.setSystemTime(Date.now() + step.ms);
    else subject.restart();
  return observations;
}

beforeEach(() => {
  vi.useFakeTimers({ toFake: ['Date'], now: t0 });
});
afterEach(() => {
  vi.useRealTimers();
});

describe('the breaker and cockatiel’s', () => {
  it.each([
    ['cooldowns of one length', 1],
    ['growing cooldowns', 2],
  ])('admit, refuse and change state alike, with %s', async (_, multiplier) => {
    const seen = new Set<string>();
    await fc.assert(
      fc.asyncProperty(
        fc.integer({ min: 1, max: 4 }),
        fc.integer({ min: 1, max: 3 }),
        fc.array(steps, { maxLength: 60, size: 'max' }),
        async (threshold, probes, sequence) => {
          const policy = aPolicy(threshold, probes, multiplier);
          const expected = await observationsOf(cockatiels(policy), sequence);
          expect(await observationsOf(ours(policy), sequence)).toEqual(expected);
          for (const { admitted, state } of expected)
            seen.add(`${admitted ? 'admitted' : 'refused'}, then ${state}`);
        },
      ),
      { numRuns: 500 },
    );
    expect([...seen].toSorted()).toEqual([
      'admitted, then closed',
      'admitted, then half_open',
      'admitted, then open',
      'refused, then open',
    ]);
  });
});
