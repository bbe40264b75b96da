import { describe, expect, it } from 'vitest';

import { type Breaker, CLOSED } from '../../../shared/execution/breaker.ts';
import { storedBreaker } from '../../../shared/execution/health.ts';
import { breakerHome } from '../../../shared/matching/breaker-home.ts';
import { withProvider, withSubscriptions } from '../../../shared/matching/compose.ts';
import { Match } from '../../../shared/matching/schema.ts';
import { aMatch, aProvider, aSubscription, at, later } from '../examples.ts';

const open: Breaker = {
  ...CLOSED,
  state: 'open',
  epoch: 3,
  consecutiveFailures: 5,
  openUntilMs: later(60).getTime(),
  notBeforeMs: later(30).getTime(),
};
const halfOpen: Breaker = {
  ...open,
  state: 'half_open',
  epoch: 4,
  openUntilMs: null,
  probes: { i1_1: later(15).getTime() },
};
const forced: Breaker = { ...open, openUntilMs: null, forced: true };

const { write, read } = breakerHome(aMatch());
/** What a match document holds of a breaker, after it was stored. */
const kept = (match: Match) => read(Match.parse(match) as never);

describe("the home of a provider's breaker", () => {
  it('is its match document', () => {
    expect(breakerHome(aMatch({ provider_id: 'prov_7' })).ref.path).toBe('matches/prov_7');
  });

  it('knows a closed one while none ever failed', () => {
    const match = aMatch();
    expect(match).not.toHaveProperty('breaker');
    expect(breakerHome(match).known).toEqual(CLOSED);
    expect(read(match as never)).toEqual(CLOSED);
  });

  it.each([
    ['closed', { ...CLOSED, epoch: 2, consecutiveFailures: 3 }],
    ['open', open],
    ['half open', halfOpen],
    ['forced open', forced],
  ])('gives back what was written: one that is %s', (_, breaker) => {
    const written = Match.parse(write(aMatch() as never, breaker, at));
    expect(kept(written)).toEqual(breaker);
    expect(breakerHome(written).known).toEqual(breaker);
  });

  it('leaves the rest of the document as it is, and does not touch the one it was given', () => {
    const match = aMatch({
      version: 7,
      collateral: { IRR: '5', USD: '1.5' },
      locked: { IRR: '2' },
    });
    const before = structuredClone(match);
    const { breaker, ...rest } = Match.parse(write(match as never, open, at));
    expect(rest).toEqual(before);
    expect(match).toEqual(before);
    expect(breaker).toEqual(storedBreaker(open, at, null));
  });

  it('writes into the document as it is now, not as it was when the home was made', () => {
    const home = breakerHome(aMatch({ version: 1, name: 'before' }));
    expect(home.write(aMatch({ version: 2, name: 'after' }) as never, open, at)).toMatchObject({
      version: 2,
      name: 'after',
      breaker: { breaker_state: 'open' },
    });
  });

  it('keeps who forced it open, for as long as it is', () => {
    const by = { by: 'operator', reason: 'they asked us' };
    const held = aMatch({ breaker: storedBreaker(forced, at, null, by) });
    const paused = { ...forced, notBeforeMs: later(300).getTime() };
    expect(write(held as never, paused, later(1))).toMatchObject({
      breaker: { breaker: { forced: { ...by, at: at.toISOString() } } },
    });
    expect(write(held as never, { ...CLOSED, epoch: 4 }, later(1))).toMatchObject({
      breaker: { breaker_state: 'closed', breaker: { forced: null } },
    });
  });

  it('is kept by whatever else changes the document', () => {
    const match = Match.parse(write(aMatch() as never, open, at));
    expect(kept(withProvider(match, aProvider({ name: 'Renamed' }), later(1)))).toEqual(open);
    expect(kept(withProvider(match, aProvider({ status: 'INACTIVE' }), later(1)))).toEqual(open);
    expect(kept(withSubscriptions(match, [aSubscription()], later(1)))).toEqual(open);
  });
});
