import { describe, expect, it } from 'vitest';

import { type FaultAction, Faults } from '../../../local/kernel/faults.ts';

const FAIL: FaultAction = { kind: 'fail', code: 'UNAVAILABLE' };
const LOSE: FaultAction = { kind: 'lose-acknowledgement' };

/** What strikes each of a hundred calls. */
const struck = (faults: Faults, rpc = 'Commit') =>
  Array.from({ length: 100 }, () => faults.strike(rpc, {})?.kind ?? '-').join('');

describe('a rule', () => {
  it('strikes the calls it names, after those that pass and as often as it says', () => {
    const faults = new Faults();
    faults.inject({ rpc: 'Commit', after: 1, times: 2, action: FAIL });
    const calls = ['Commit', 'Publish', 'Commit', 'Commit', 'Commit'];
    expect(calls.map((rpc) => faults.strike(rpc, {})?.kind)).toEqual([
      undefined,
      undefined,
      'fail',
      'fail',
      undefined,
    ]);
  });

  it('is withdrawn alone, or with all others', () => {
    const faults = new Faults();
    const withdraw = faults.inject({ rpc: '*', times: 9, action: FAIL });
    faults.inject({ rpc: '*', times: 9, action: LOSE });
    withdraw();
    expect(faults.strike('Commit', {})).toBe(LOSE);
    faults.clear();
    expect(faults.strike('Commit', {})).toBeUndefined();
  });
});

describe('faults by seed', () => {
  const chance = { probability: 0.3, actions: [FAIL, LOSE] };
  const withSeed = (seed: number, more = {}) => {
    const faults = new Faults();
    faults.random(seed, { ...chance, ...more });
    return faults;
  };

  it('strike the same calls for the same seed, and others for another', () => {
    expect(struck(withSeed(7))).toBe(struck(withSeed(7)));
    expect(struck(withSeed(7))).not.toBe(struck(withSeed(8)));
  });

  it('strike about as often as asked, with every action', () => {
    const faults = withSeed(1);
    const kinds = Array.from({ length: 10_000 }, () => faults.strike('Commit', {})?.kind);
    const share = (kind?: string) => kinds.filter((each) => each === kind).length / kinds.length;
    expect(share()).toBeCloseTo(0.7, 1);
    expect(share('fail')).toBeCloseTo(0.15, 1);
    expect(share('lose-acknowledgement')).toBeCloseTo(0.15, 1);
  });

  it('leave other RPCs alone, and end when withdrawn or used up', () => {
    expect(struck(withSeed(1, { only: ['Publish'] }))).toBe('-'.repeat(100));
    const twice = struck(withSeed(1, { times: 2 }));
    expect(
      twice.replaceAll('-', '').match(/fail|lose-acknowledgement|loseacknowledgement/g),
    ).toHaveLength(2);
    const faults = new Faults();
    faults.random(1, chance)();
    expect(struck(faults)).toBe('-'.repeat(100));
  });

  it.each([
    ['a probability over 1', { probability: 1.1, actions: [FAIL] }],
    ['no action', { probability: 0.1, actions: [] }],
  ])('are refused with %s', (_, wrong) => {
    expect(() => new Faults().random(1, wrong)).toThrow(RangeError);
  });
});
