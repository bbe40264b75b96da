import { describe, expect, it } from 'vitest';

import {
  type Breaker,
  CLOSED,
  admit,
  claimProbe,
  settle,
} from '../../../shared/execution/breaker.ts';
import {
  type ProviderHealthState,
  breakerOf,
  healthStates,
  newHealthState,
  storedBreaker,
  withBreaker,
} from '../../../shared/execution/health.ts';
import { type ExecutionKey, keyId } from '../../../shared/execution/key.ts';
import {
  ForceOpenBreaker,
  breakerRefs,
  breakerView,
  forceOpenBreaker,
  keyOf,
  namedKey,
  releaseBreaker,
} from '../../../shared/execution/operate-breaker.ts';
import type { BreakerPolicy } from '../../../shared/execution/policy.ts';
import { breakerHome } from '../../../shared/matching/breaker-home.ts';
import { type Match, matches } from '../../../shared/matching/schema.ts';
import { ref } from '../../../shared/store/collection.ts';
import { aMatch, at, command, docAt, errorOf, later } from '../examples.ts';

const key: ExecutionKey = { tenantId: 'acme', providerName: 'openai', capability: 'usage_extract' };
const place = ref(healthStates, keyId(key));

const policy: BreakerPolicy = {
  scope: 'tenant',
  failureThreshold: 3,
  openCooldownMs: 60_000,
  cooldownMultiplier: 2,
  maxCooldownMs: 300_000,
  halfOpenMaxCalls: 2,
  successThreshold: 2,
  tenantsMin: 1,
};

const stateWith = (breaker: Partial<Breaker> = {}): ProviderHealthState => ({
  ...withBreaker(newHealthState(key, at), { ...CLOSED, ...breaker }, at),
  last_error_code: 'timeout',
  last_error_at: at.toISOString(),
});

const forced = (
  health: ProviderHealthState | null,
  given: Partial<Parameters<typeof forceOpenBreaker>[1]> = {},
) =>
  forceOpenBreaker(
    { health },
    { ...command(), key, by: 'operator', reason: 'they asked us', scope: 'tenant', ...given },
  );

const released = (health: ProviderHealthState | null) =>
  releaseBreaker({ health }, { ...command(), at: later(60), key });

/** What a decision leaves, which must be something. */
function left(decision: ReturnType<typeof forced>): ProviderHealthState {
  const doc = docAt(decision, place);
  if (!doc) throw new Error('nothing was written');
  return doc;
}

const opened: Partial<Breaker> = {
  state: 'open',
  epoch: 7,
  consecutiveFailures: 3,
  openUntilMs: later(60).getTime(),
  reopenings: 2,
};
const probing: Partial<Breaker> = {
  state: 'half_open',
  epoch: 8,
  probes: { p1: later(10).getTime() },
};

describe('a breaker as operators see it', () => {
  it('shows what it stands for, why it is open, and since when', () => {
    expect(breakerView(stateWith({ ...opened, notBeforeMs: later(5).getTime() }))).toEqual({
      key: keyId(key),
      tenant_id: 'acme',
      provider_name: 'openai',
      capability: 'usage_extract',
      breaker_state: 'open',
      consecutive_failures: 3,
      open_until: later(60).toISOString(),
      forced: null,
      not_before: later(5).toISOString(),
      last_error_code: 'timeout',
      last_error_at: at.toISOString(),
      updated_at: at.toISOString(),
    });
  });

  it('is named by all three names of its key, or by none', () => {
    const names = { tenant_id: 'acme', provider_name: 'openai', capability: 'usage_extract' };
    expect(namedKey(names)).toEqual(key);
    expect(namedKey({ ...names, capability: undefined })).toBeNull();
    expect(keyOf(stateWith())).toEqual(key);
    expect(keyOf(null)).toBeNull();
    expect(breakerRefs({ key }).health.path).toBe(place.path);
    const takes = (given: object) => ForceOpenBreaker.safeParse({ reason: 'x', ...given }).success;
    expect([takes({}), takes(names), takes({ ...names, capability: undefined })]).toEqual([
      true,
      true,
      false,
    ]);
  });
});

describe('forcing a breaker open', () => {
  it.each<[string, ProviderHealthState | null]>([
    ['was never called', null],
    ['is closed', stateWith({ consecutiveFailures: 2, epoch: 4 })],
    ['is open', stateWith(opened)],
    ['is being probed', stateWith(probing)],
  ])('stops all calls of a key that %s, and says who, why and when', (_, health) => {
    const decision = forced(health);
    const doc = left(decision);
    expect(doc).toMatchObject({
      id: keyId(key),
      breaker_state: 'open',
      breaker: {
        epoch: breakerOf(health).epoch + 1,
        open_until: null,
        probes: {},
        forced: { by: 'operator', reason: 'they asked us', at: at.toISOString() },
      },
    });
    expect(decision.reply).toEqual(breakerView(doc));
    expect(admit(breakerOf(doc), later(1e6).getTime(), policy)).toMatchObject({ kind: 'refused' });
  });

  it('case 15: survives success, probes and being stored; release returns to closed', () => {
    const closed = stateWith({ epoch: 3 });
    const permit = { epoch: 3, probeId: null };
    let doc = left(forced(closed));
    const nowMs = later(1e6).getTime();
    for (const verdict of ['success', 'failure', 'ignored'] as const)
      expect(settle(breakerOf(doc), permit, verdict, {}, nowMs, policy)).toEqual(breakerOf(doc));
    expect(
      claimProbe(breakerOf(doc), { id: 'p', expiresAtMs: nowMs + 1 }, nowMs, policy).permit,
    ).toBeNull();
    doc = healthStates.schema.parse(JSON.parse(JSON.stringify(doc)));
    expect(breakerOf(doc)).toMatchObject({ state: 'open', forced: true });
    const free = left(released(doc));
    expect(breakerOf(free)).toEqual({ ...CLOSED, epoch: 5 });
    expect(admit(breakerOf(free), nowMs, policy)).toEqual({ kind: 'closed' });
  });

  it('a second time changes nothing: the first reason and time stay', () => {
    const doc = left(forced(null));
    expect(forced(doc, { by: 'somebody', reason: 'another', at: later(60) })).toEqual({
      writes: [],
      reply: breakerView(doc),
    });
  });

  it('is refused where no call would ask: the capability has no breaker, or one for all tenants', () => {
    expect(errorOf(() => forced(null, { scope: 'none' }))).toMatchObject({
      code: 'conflict',
      message: expect.stringContaining('usage_extract'),
    });
    expect(errorOf(() => forced(null, { scope: 'provider' }))).toMatchObject({
      code: 'conflict',
      message: expect.stringContaining('tenant_id *'),
    });
    const all = { ...key, tenantId: '*' };
    expect(forced(null, { scope: 'provider', key: all }).writes).toHaveLength(1);
  });
});

describe('releasing a breaker', () => {
  it.each([
    ['was forced open', left(forced(stateWith(opened)))],
    ['has opened by itself', stateWith(opened)],
    ['is being probed', stateWith(probing)],
  ])('closes one that %s, in a new epoch', (_, doc) => {
    const { epoch } = breakerOf(doc);
    const decision = released(doc);
    expect(breakerOf(left(decision))).toEqual({ ...CLOSED, epoch: epoch + 1 });
    expect(left(decision)).toMatchObject({
      breaker: { forced: null },
      last_error_code: 'timeout',
      updated_at: later(60).toISOString(),
    });
    expect(decision.reply).toMatchObject({ breaker_state: 'closed', forced: null });
  });

  it('keeps the pause that the provider asked for', () => {
    const notBeforeMs = later(300).getTime();
    const doc = left(released(left(forced(stateWith({ notBeforeMs })))));
    expect(breakerOf(doc).notBeforeMs).toBe(notBeforeMs);
  });

  it('that is closed changes nothing', () => {
    const doc = stateWith({ consecutiveFailures: 2 });
    expect(released(doc)).toEqual({ writes: [], reply: breakerView(doc) });
  });

  it('that nobody has written is refused', () => {
    expect(errorOf(() => released(null))).toMatchObject({ code: 'not_found' });
  });
});

describe("the breaker of a provider's webhooks", () => {
  const match = aMatch();
  const webhooks = {
    tenantId: '*',
    providerName: match.provider_id,
    capability: 'webhook_delivery',
  };
  const matchPlace = ref(matches, match.provider_id);
  const healthPlace = ref(healthStates, keyId(webhooks));
  const force = (docs: { health: ProviderHealthState | null; match: Match | null }) =>
    forceOpenBreaker(docs, {
      ...command(),
      key: webhooks,
      by: 'operator',
      reason: 'they asked us',
      scope: 'provider',
    });
  const free = (docs: { health: ProviderHealthState | null; match: Match | null }) =>
    releaseBreaker(docs, { ...command(), at: later(60), key: webhooks });
  /** Both documents as a decision leaves them. */
  const both = (decision: ReturnType<typeof force>) => {
    const [health, after] = [docAt(decision, healthPlace), docAt(decision, matchPlace)];
    if (!health || !after) throw new Error('one of the two was not written');
    return { health, match: after };
  };

  it('is read with the match document, which is asked for only where there may be one', () => {
    expect(Object.values(breakerRefs({ key: webhooks })).map(({ path }) => path)).toEqual([
      healthPlace.path,
      matchPlace.path,
    ]);
    for (const other of [
      key,
      { ...webhooks, tenantId: 'acme' },
      { ...webhooks, providerName: 'a/b' },
      { ...webhooks, capability: 'endpoint_probe' },
    ])
      expect(breakerRefs({ key: other })).not.toHaveProperty('match');
  });

  it('is forced open and released in both documents, in one commit', () => {
    const closed = { health: null, match };
    const open = both(force(closed));
    expect(breakerOf(open.match.breaker ?? null)).toEqual(breakerOf(open.health));
    expect(open.match.breaker?.breaker.forced).toEqual(open.health.breaker.forced);
    expect(breakerHome(open.match).known).toMatchObject({ state: 'open', forced: true });
    expect({ ...open.match, breaker: undefined }).toEqual({ ...match, breaker: undefined });

    expect(force(open)).toEqual({ writes: [], reply: breakerView(open.health) });
    const { health, match: released } = both(free(open));
    expect(breakerOf(released.breaker ?? null)).toEqual({ ...CLOSED, epoch: 2 });
    expect(breakerOf(health)).toEqual({ ...CLOSED, epoch: 2 });
    expect(free({ health, match: released }).writes).toEqual([]);
  });

  it('is what the match document says, whatever the health state says', () => {
    const behind = withBreaker(newHealthState(webhooks, at), { ...CLOSED, epoch: 3 }, at);
    const breaker = storedBreaker({ ...CLOSED, ...opened }, at, null);
    const after = both(force({ health: behind, match: { ...match, breaker } }));
    expect(breakerOf(after.match.breaker ?? null)).toMatchObject({ epoch: 8, forced: true });
    expect(breakerOf(after.health)).toEqual(breakerOf(after.match.breaker ?? null));
  });

  it('that is forced already is shown as such where the health state is missing', () => {
    const by = { by: 'somebody', reason: 'before' };
    const breaker = storedBreaker(
      { ...CLOSED, state: 'open', epoch: 1, forced: true },
      at,
      null,
      by,
    );
    const decision = force({ health: null, match: { ...match, breaker } });
    expect(docAt(decision, matchPlace)).toBeNull();
    expect(decision.reply.forced).toEqual({ ...by, at: at.toISOString() });
    expect(docAt(decision, healthPlace)).toMatchObject({ breaker_state: 'open' });
  });

  it('of a provider that is not known is kept in the health state alone', () => {
    const decision = force({ health: null, match: null });
    expect(decision.writes).toHaveLength(1);
    expect(docAt(decision, healthPlace)).toMatchObject({ breaker_state: 'open' });
  });
});
