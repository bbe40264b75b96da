import fc from 'fast-check';
import { isDeepStrictEqual } from 'node:util';
import { describe, expect, it } from 'vitest';

import {
  type Admission,
  type Breaker,
  CLOSED,
  type Permit,
  admit,
  claimProbe,
  clamped,
  forceOpen,
  newer,
  pause,
  release,
  settle,
  transitionOf,
} from '../../../shared/execution/breaker.ts';
import type { BreakerPolicy } from '../../../shared/execution/policy.ts';
import type { Verdict } from '../../../shared/execution/reasons.ts';

const t0 = Date.UTC(2026, 2, 1, 12);
const INSTANCES = 4;

const policies: fc.Arbitrary<BreakerPolicy> = fc.record({
  scope: fc.constant('tenant' as const),
  failureThreshold: fc.integer({ min: 1, max: 4 }),
  openCooldownMs: fc.integer({ min: 1, max: 40 }),
  cooldownMultiplier: fc.constantFrom(1, 1.5, 2),
  maxCooldownMs: fc.integer({ min: 1, max: 100 }),
  halfOpenMaxCalls: fc.integer({ min: 1, max: 3 }),
  successThreshold: fc.integer({ min: 1, max: 3 }),
  tenantsMin: fc.constantFrom(1, 1, 2, 3),
});

const instance = fc.nat({ max: INSTANCES - 1 });
const callStep = fc.record({
  do: fc.constant('call' as const),
  instance,
  /** How long a probe holds its slot, if the call becomes one. */
  lifeMs: fc.integer({ min: 1, max: 60 }),
});
const settleStep = fc.record({
  do: fc.constant('settle' as const),
  /** Which of the calls under way, the newest first. */
  nth: fc.nat({ max: 4 }),
  verdict: fc.constantFrom<Verdict>('success', 'failure', 'failure', 'ignored'),
  failures: fc.integer({ min: 1, max: 3 }),
  tenantId: fc.constantFrom('acme', 'globex', 'initech'),
});
const readStep = fc.record({
  do: fc.constant('read' as const),
  instance,
  /** How many versions ago the value was that an instance reads. */
  staleness: fc.nat({ max: 3 }),
});
const steps = fc.oneof(
  { weight: 6, arbitrary: callStep },
  { weight: 8, arbitrary: settleStep },
  { weight: 3, arbitrary: readStep },
  {
    weight: 3,
    arbitrary: fc.record({
      do: fc.constant('tick' as const),
      ms: fc.integer({ min: -30, max: 60 }),
    }),
  },
  {
    weight: 1,
    arbitrary: fc.record({
      do: fc.constant('pause' as const),
      ms: fc.integer({ min: -10, max: 150 }),
    }),
  },
  {
    weight: 1,
    arbitrary: fc.record({
      do: fc.constantFrom<'force' | 'release' | 'clamp'>(
        'force',
        'release',
        'release',
        'release',
        'clamp',
        'clamp',
      ),
    }),
  },
);
type StepOf<Arbitrary> = Arbitrary extends fc.Arbitrary<infer Step> ? Step : never;

interface Call {
  readonly permit: Permit;
  /** When its slot expires; null for a call without one. */
  readonly expiresAtMs: number | null;
}

/** The cooldown by the specification's words. */
function cooldownOf(policy: BreakerPolicy, reopenings: number): number {
  let ms = policy.openCooldownMs;
  for (let n = 0; n < reopenings; n++) ms *= policy.cooldownMultiplier;
  return Math.min(Math.round(ms), policy.maxCooldownMs);
}

function frozen(breaker: Breaker): Breaker {
  Object.freeze(breaker.probes);
  Object.freeze(breaker.failingTenants);
  return Object.freeze(breaker);
}

/** The store's copy: nothing but JSON, and changed by nobody. */
const stored = (breaker: Breaker): Breaker =>
  frozen(JSON.parse(JSON.stringify(breaker)) as Breaker);

/**
 * Several instances over one shared value. Beside it stands what it must agree with, counted here from
 * the calls and their results alone.
 */
interface World {
  readonly policy: BreakerPolicy;
  /** What has happened at all, over all worlds. */
  readonly seen: Set<string>;
  nowMs: number;
  /** A slot that has expired once may have been given away, even where the clock went back since. */
  latestMs: number;
  shared: Breaker;
  readonly versions: Breaker[];
  readonly snapshots: Breaker[];
  /** The newest first. */
  underWay: readonly Call[];
  claims: number;
  failures: number;
  readonly failedTenants: Set<string>;
  reopenings: number;
  probeSuccesses: number;
}

function aWorld(policy: BreakerPolicy, seen: Set<string>): World {
  const shared = stored(CLOSED);
  return {
    policy,
    seen,
    nowMs: t0,
    latestMs: t0,
    shared,
    versions: [shared],
    snapshots: Array.from({ length: INSTANCES }, () => shared),
    underWay: [],
    claims: 0,
    failures: 0,
    failedTenants: new Set(),
    reopenings: 0,
    probeSuccesses: 0,
  };
}

function run(world: World, step: StepOf<typeof steps>): void {
  switch (step.do) {
    case 'call':
      call(world, step);
      break;
    case 'settle':
      settleOne(world, step);
      break;
    case 'read':
      read(world, step);
      break;
    case 'tick':
      moveTo(world, world.nowMs + step.ms);
      break;
    case 'pause':
      askForPause(world, step.ms);
      break;
    case 'force':
    case 'release':
      operate(world, step.do);
      break;
    case 'clamp':
      clamp(world);
      break;
  }
  expectBounded(world);
  expectRefusalsToEnd(world);
}

function call(world: World, { instance, lifeMs }: StepOf<typeof callStep>): void {
  const snapshot = world.snapshots[instance] ?? CLOSED;
  const admission = admit(snapshot, world.nowMs, world.policy);
  if (admission.kind === 'closed')
    start(world, { permit: { epoch: snapshot.epoch, probeId: null }, expiresAtMs: null });
  if (admission.kind === 'probe') claim(world, lifeMs);
  world.snapshots[instance] = newer(snapshot, world.shared);
}

function claim(world: World, lifeMs: number): void {
  const { shared, nowMs, policy } = world;
  const probe = { id: `p${world.claims++}`, expiresAtMs: nowMs + lifeMs };
  const admission = admit(shared, nowMs, policy);
  const { breaker, permit, retryAtMs } = claimProbe(shared, probe, nowMs, policy);
  if (permit === null) {
    world.seen.add(`refused ${shared.state}`);
    expect(breaker).toBe(shared);
    expect(admission).toMatchObject({ kind: 'refused', retryAtMs });
    return;
  }
  expect(admission.kind).toBe(permit.probeId === null ? 'closed' : 'probe');
  expect(permit).toEqual({ epoch: breaker.epoch, probeId: permit.probeId && probe.id });
  commit(world, breaker);
  // The acknowledgement may get lost: the repetition answers the same and changes nothing.
  const repeated = claimProbe(world.shared, probe, nowMs, policy);
  expect(repeated.permit).toEqual(permit);
  expect(repeated.breaker).toBe(world.shared);
  start(world, { permit, expiresAtMs: permit.probeId === null ? null : probe.expiresAtMs });
}

function start(world: World, begun: Call): void {
  world.underWay = [begun, ...world.underWay];
}

function settleOne(world: World, step: StepOf<typeof settleStep>): void {
  const { shared, nowMs, policy } = world;
  const ended = world.underWay[step.nth];
  if (!ended) return;
  world.underWay = world.underWay.filter((other) => other !== ended);
  const expected = expectedAfter(world, ended, step);
  commit(world, settle(shared, ended.permit, step.verdict, step, nowMs, policy));
  if (expected === 'unchanged') expect(world.shared).toBe(shared);
  else if (expected) expect(world.shared).toMatchObject(expected);
  else world.probeSuccesses = world.shared.probeSuccesses;
  // Whatever came of it, a probe that counted has left its slot.
  if (expected !== 'unchanged')
    expect(Object.keys(world.shared.probes)).not.toContain(ended.permit.probeId);
}

/** Null where it depends on whether somebody has needed the slot since it expired for the first time. */
function expectedAfter(
  world: World,
  { permit, expiresAtMs }: Call,
  step: StepOf<typeof settleStep>,
): Partial<Breaker> | 'unchanged' | null {
  const { state, epoch } = world.shared;
  if (permit.epoch !== epoch) {
    world.seen.add(`late ${state}`);
    return 'unchanged';
  }
  expect(state).toBe(expiresAtMs === null ? 'closed' : 'half_open');
  if (expiresAtMs === null) return expectedAfterCall(world, step);
  if (expiresAtMs > world.latestMs) return expectedAfterProbe(world, step);
  if (expiresAtMs > world.nowMs) return null;
  world.seen.add('expired');
  return 'unchanged';
}

function expectedAfterCall(
  world: World,
  { verdict, failures, tenantId }: StepOf<typeof settleStep>,
): Partial<Breaker> | 'unchanged' {
  const { failureThreshold, tenantsMin } = world.policy;
  if (verdict === 'ignored') return 'unchanged';
  if (verdict === 'success') {
    world.failures = 0;
    world.failedTenants.clear();
    return { state: 'closed', consecutiveFailures: 0 };
  }
  world.failures += failures;
  world.failedTenants.add(tenantId);
  const opens = world.failures >= failureThreshold && world.failedTenants.size >= tenantsMin;
  return {
    state: opens ? 'open' : 'closed',
    consecutiveFailures: world.failures,
    openUntilMs: opens ? world.nowMs + cooldownOf(world.policy, 0) : null,
  };
}

function expectedAfterProbe(
  world: World,
  { verdict }: StepOf<typeof settleStep>,
): Partial<Breaker> {
  if (verdict === 'failure') {
    const openUntilMs = world.nowMs + cooldownOf(world.policy, world.reopenings + 1);
    return { state: 'open', openUntilMs };
  }
  if (verdict === 'success') world.probeSuccesses++;
  return world.probeSuccesses >= world.policy.successThreshold
    ? { state: 'closed' }
    : { state: 'half_open', probeSuccesses: world.probeSuccesses };
}

function read(world: World, { instance, staleness }: StepOf<typeof readStep>): void {
  const mine = world.snapshots[instance] ?? CLOSED;
  const theirs = world.versions[Math.max(0, world.versions.length - 1 - staleness)] ?? CLOSED;
  const adopted = newer(mine, theirs);
  expect(adopted.epoch).toBe(Math.max(mine.epoch, theirs.epoch));
  world.snapshots[instance] = adopted;
}

function moveTo(world: World, nowMs: number): void {
  world.nowMs = nowMs;
  world.latestMs = Math.max(world.latestMs, nowMs);
}

function askForPause(world: World, ms: number): void {
  const { shared, nowMs, policy } = world;
  const before = shared.notBeforeMs ?? Number.NEGATIVE_INFINITY;
  commit(world, pause(shared, nowMs + ms, nowMs, policy));
  const asked = nowMs + Math.min(ms, policy.maxCooldownMs);
  const after = ms > 0 ? Math.max(before, asked) : before;
  expect(world.shared.notBeforeMs ?? Number.NEGATIVE_INFINITY).toBe(after);
}

function operate(world: World, act: 'force' | 'release'): void {
  commit(world, act === 'force' ? forceOpen(world.shared) : release(world.shared));
  expect(world.shared.forced).toBe(act === 'force');
}

function clamp(world: World): void {
  const latestMs = world.nowMs + world.policy.maxCooldownMs;
  commit(world, clamped(world.shared, world.nowMs, world.policy));
  const { openUntilMs, notBeforeMs, probes } = world.shared;
  expect(
    Math.max(openUntilMs ?? 0, notBeforeMs ?? 0, ...Object.values(probes)),
  ).toBeLessThanOrEqual(latestMs);
  world.underWay = world.underWay.map(({ permit, expiresAtMs }) => ({
    permit,
    expiresAtMs: expiresAtMs && Math.min(expiresAtMs, latestMs),
  }));
}

function commit(world: World, after: Breaker): void {
  const before = world.shared;
  if (after === before) return;
  expect(isDeepStrictEqual(after, before)).toBe(false);
  world.shared = stored(after);
  expect(world.shared).toEqual(after);
  world.versions.push(world.shared);
  expectConsistent(world);

  const transition = transitionOf(before, after);
  const isNewEra = transition !== null || before.forced !== after.forced;
  expect(after.epoch).toBe(before.epoch + (isNewEra ? 1 : 0));
  if (!isNewEra) return;
  world.probeSuccesses = 0;
  if (after.state === 'closed') {
    world.failures = 0;
    world.failedTenants.clear();
    world.reopenings = 0;
  }
  if (transition && before.forced === after.forced) {
    world.seen.add(`${transition.from} to ${transition.to}`);
    if (transition.from === 'half_open' && transition.to === 'open') world.reopenings++;
  }
}

function expectConsistent({ shared, policy }: World): void {
  const { state, openUntilMs, forced, probes, probeSuccesses, reopenings, failingTenants } = shared;
  expect(openUntilMs !== null).toBe(state === 'open' && !forced);
  if (forced) expect(state).toBe('open');
  if (state === 'closed') expect(reopenings).toBe(0);
  if (state === 'half_open') expect(probeSuccesses).toBeLessThan(policy.successThreshold);
  else expect({ probes, probeSuccesses }).toEqual({ probes: {}, probeSuccesses: 0 });
  const { tenantsMin } = policy;
  expect(failingTenants.length).toBeLessThanOrEqual(tenantsMin === 1 ? 0 : tenantsMin);
}

/** Counts the calls themselves, not the slots. */
function expectBounded({ shared, policy, underWay, latestMs, seen }: World): void {
  const { halfOpenMaxCalls, successThreshold } = policy;
  if (shared.state !== 'half_open') return;
  const probing = underWay.filter(
    ({ permit, expiresAtMs }) =>
      permit.epoch === shared.epoch && expiresAtMs !== null && expiresAtMs > latestMs,
  ).length;
  if (probing === halfOpenMaxCalls) seen.add('full');
  expect(probing).toBeLessThanOrEqual(halfOpenMaxCalls);
  expect(probing + shared.probeSuccesses).toBeLessThanOrEqual(
    Math.max(halfOpenMaxCalls, successThreshold),
  );
}

/** Who is refused may call at `retryAtMs` if nothing else happens, and not a millisecond before. */
function expectRefusalsToEnd({ shared, policy, nowMs }: World): void {
  const at = (ms: number): Admission => admit(shared, ms, policy);
  const admission = at(nowMs);
  if (admission.kind !== 'refused') return;
  const { retryAtMs } = admission;
  expect(retryAtMs).toBeGreaterThan(nowMs);
  expect(at(retryAtMs - 1).kind).toBe('refused');
  expect(at(retryAtMs).kind === 'refused').toBe(shared.forced);
}

/** However it was left: once every slot, cooldown and pause is over, probes close it. */
function expectRecovery(world: World): void {
  commit(world, release(world.shared));
  const { openUntilMs, notBeforeMs, probes } = world.shared;
  const overMs = Math.max(openUntilMs ?? 0, notBeforeMs ?? 0, ...Object.values(probes));
  moveTo(world, Math.max(world.nowMs, overMs));
  for (let n = 0; n < world.policy.successThreshold && world.shared.state !== 'closed'; n++) {
    expect(admit(world.shared, world.nowMs, world.policy)).toEqual({ kind: 'probe' });
    claim(world, 1);
    const { permit } = world.underWay[0] ?? { permit: { epoch: -1, probeId: null } };
    commit(world, settle(world.shared, permit, 'success', {}, world.nowMs, world.policy));
  }
  expect(world.shared.state).toBe('closed');
  expect(admit(world.shared, world.nowMs, world.policy)).toEqual({ kind: 'closed' });
}

describe('instances that share one breaker, in any order and by a clock that also goes back', () => {
  it('never exceed its probes, never lose one for ever, and agree with a count of their results', () => {
    const seen = new Set<string>();
    fc.assert(
      fc.property(policies, fc.array(steps, { maxLength: 80, size: 'max' }), (policy, sequence) => {
        const world = aWorld(policy, seen);
        for (const step of sequence) run(world, step);
        expectRecovery(world);
      }),
      { numRuns: 300 },
    );
    // What makes the rest worth something: all of this has happened.
    for (const event of [
      'closed to open',
      'open to half_open',
      'half_open to open',
      'half_open to closed',
      'full',
      'expired',
      'late closed',
      'late open',
      'late half_open',
      'refused open',
      'refused half_open',
    ])
      expect(seen).toContain(event);
  });
});
