import fc from 'fast-check';
import { describe, expect, it } from 'vitest';

import { decide } from '../../../shared/eligibility/decision.ts';
import {
  type Demands,
  type Subject,
  evaluate,
  reasons,
} from '../../../shared/eligibility/evaluate.ts';
import { eligibilityView } from '../../../shared/eligibility/view.ts';
import { aMatch, at, grounds, later, policy } from '../examples.ts';

const DAY_S = 24 * 60 * 60;

const evaluated = (subject: Partial<Subject>, demands?: Demands) =>
  evaluate(aMatch(subject), policy.default, at, demands).reasons;

const score = (value: number, captured_at = at.toISOString()) => ({
  value,
  source: 'operator',
  captured_at,
});

const cpa = (certified: boolean, expires: Date | null = null) => ({
  accepts_cpa_terms: true,
  certified,
  expires_at: expires && expires.toISOString(),
  max_penalty_accepted: 0.2,
  supported_metrics: [],
});

describe('eligibility', () => {
  it.each([
    ['Alpha', 88.5, '250000000', []],
    ['Beta', 75, '150000000', ['insufficient_collateral']],
    ['Gamma', 90, '220000000', []],
    ['Delta', 68, '210000000', ['score_below_threshold']],
  ])('%s with %d and %s IRR: %j', (_, value, amount, expected) => {
    expect(evaluated({ score: score(value), collateral: { IRR: amount } })).toEqual(expected);
  });

  it('holds at exactly the thresholds, and fails just below', () => {
    expect(evaluated({ score: score(70), collateral: { IRR: '200000000' } })).toEqual([]);
    expect(evaluated({ score: score(69.99), collateral: { IRR: '199999999.999999999' } })).toEqual([
      'score_below_threshold',
      'insufficient_collateral',
    ]);
  });

  it('needs an ACTIVE provider', () => {
    expect(evaluated({ status: 'SUSPENDED' })).toEqual(['provider_not_active']);
  });

  it('needs a score', () => {
    expect(evaluated({ score: null })).toEqual(['score_missing']);
  });

  it('needs a score that is not older than the policy allows, to the millisecond', () => {
    const oldest = later(-policy.default.max_score_age_days * DAY_S);
    const older = new Date(oldest.getTime() - 1);
    expect(evaluated({ score: score(90, oldest.toISOString()) })).toEqual([]);
    expect(evaluated({ score: score(90, older.toISOString()) })).toEqual(['score_stale']);
    expect(evaluated({ score: score(10, older.toISOString()) })).toEqual([
      'score_stale',
      'score_below_threshold',
    ]);
  });

  it('without any collateral it is insufficient, however much there is in another currency it mismatches', () => {
    expect(evaluated({ collateral: {} })).toEqual(['insufficient_collateral']);
    expect(evaluated({ collateral: { USD: '999999999999' } })).toEqual([
      'collateral_currency_mismatch',
    ]);
    expect(evaluated({ collateral: { USD: '1', IRR: '5' } })).toEqual(['insufficient_collateral']);
  });

  it('asks for a certification only when it is demanded', () => {
    const demands = { cpa_certified: true };
    expect(evaluated({ cpa: null })).toEqual([]);
    expect(evaluated({ cpa: null }, demands)).toEqual(['cpa_not_certified']);
    expect(evaluated({ cpa: cpa(false) }, demands)).toEqual(['cpa_not_certified']);
    expect(evaluated({ cpa: cpa(true, later(1)) }, demands)).toEqual([]);
    expect(evaluated({ cpa: cpa(true, at) }, demands)).toEqual(['certification_expired']);
    expect(evaluated({ cpa: cpa(false, later(-1)) }, demands)).toEqual(['certification_expired']);
  });

  it('takes the higher of the policy’s and the request’s minimum tier', () => {
    expect(evaluated({ trust_tier: 'VERIFIED' }, { min_tier: 'VERIFIED' })).toEqual([]);
    expect(evaluated({ trust_tier: 'VERIFIED' }, { min_tier: 'TRUSTED' })).toEqual([
      'tier_below_minimum',
    ]);
    const strict = { ...policy.default, min_tier: 'PREFERRED' as const };
    expect(
      evaluate(aMatch({ trust_tier: 'TRUSTED' }), strict, at, { min_tier: 'VERIFIED' }).reasons,
    ).toEqual(['tier_below_minimum']);
  });

  it('lists every reason that applies, always in one order', () => {
    const subjects = fc.record({
      status: fc.constantFrom('ACTIVE', 'SUSPENDED', 'INACTIVE'),
      score: fc.option(
        fc.integer({ min: 0, max: 100 }).map((value) => score(value, '2025-01-01T00:00:00.000Z')),
      ),
      collateral: fc.constantFrom<Record<string, string>>({}, { USD: '1' }, { IRR: '300000000' }),
      cpa: fc.option(fc.boolean().map((certified) => cpa(certified, later(-1)))),
      trust_tier: fc.constantFrom('UNVERIFIED', 'TRUSTED'),
    });
    fc.assert(
      fc.property(subjects, (subject) => {
        const found = evaluate(aMatch(subject as Partial<Subject>), policy.default, at, {
          cpa_certified: true,
          min_tier: 'VERIFIED',
        });
        expect(found.eligible).toBe(found.reasons.length === 0);
        expect(found.reasons).toEqual(reasons.filter((reason) => found.reasons.includes(reason)));
      }),
    );
  });
});

describe('a decision', () => {
  it('holds what it was made on and under which policy', () => {
    const decision = decide(
      aMatch({ score: score(68), collateral: { IRR: '210000000', USD: '5' } }),
      'sub_1',
      { ...grounds, category: 'travel.booking' },
      at,
    );
    expect(decision).toEqual({
      provider_id: 'prov_0000000000000001',
      subscription_id: 'sub_1',
      eligible: false,
      reasons: ['score_below_threshold'],
      score: 68,
      collateral: { amount: '210000000', currency: 'IRR' },
      policy_version: grounds.policy_version,
      decided_at: '2026-03-01T12:00:00.000Z',
    });
    expect(eligibilityView(decision)).toHaveProperty('checked_at', decision.decided_at);
  });
});
