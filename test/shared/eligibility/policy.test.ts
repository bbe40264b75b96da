import { readFileSync } from 'node:fs';

import { describe, expect, it } from 'vitest';

import { reasons } from '../../../shared/eligibility/evaluate.ts';
import {
  parseEligibilityPolicy,
  policyVersion,
  thresholdsFor,
} from '../../../shared/eligibility/policy.ts';
import { policy } from '../examples.ts';

describe('the policy file', () => {
  it('asks for the score and the collateral of the plan', () => {
    expect(policy.default).toMatchObject({
      min_score: 70,
      min_collateral: { amount: '200000000', currency: 'IRR' },
    });
  });

  it('computes scores with the weights 40, 30, 20 and 10', () => {
    expect(policy.scoring.weights_percent).toEqual({
      success: 40,
      on_time: 30,
      disputes: 20,
      manual_alerts: 10,
    });
  });

  it('is refused with an unknown key, a repeated pattern, or weights that do not add up', () => {
    const travel = { pattern: 'travel.*', min_score: 80 };
    expect(() => parseEligibilityPolicy({ ...policy, policies: [travel, travel] })).toThrow(
      'twice',
    );
    expect(() => parseEligibilityPolicy({ ...policy, min_score: 1 })).toThrow('min_score');
    const scoring = {
      ...policy.scoring,
      weights_percent: { ...policy.scoring.weights_percent, success: 41 },
    };
    expect(() => parseEligibilityPolicy({ ...policy, scoring })).toThrow('add up to 100');
  });

  it('has a version that changes with its content', () => {
    expect(policyVersion(policy)).toMatch(/^sha256:[0-9a-f]{64}$/);
    expect(policyVersion(structuredClone(policy))).toBe(policyVersion(policy));
    const stricter = { ...policy, default: { ...policy.default, min_score: 71 } };
    expect(policyVersion(stricter)).not.toBe(policyVersion(policy));
  });
});

describe('policies by category', () => {
  const layered = parseEligibilityPolicy({
    ...policy,
    policies: [
      { pattern: 'travel.*', min_score: 80 },
      { pattern: 'travel.booking.*', min_tier: 'TRUSTED' },
      { pattern: 'travel.booking.eu', min_collateral: { amount: 5, currency: 'EUR' } },
    ],
  });

  it.each([
    ['legal', {}],
    ['travel.search', { min_score: 80 }],
    ['travel.booking.us', { min_tier: 'TRUSTED' }],
    ['travel.booking.eu', { min_collateral: { amount: '5', currency: 'EUR' } }],
  ])('%s: the most specific wins, and the default completes it', (category, special) => {
    expect(thresholdsFor(layered, category)).toEqual({ ...policy.default, ...special });
  });
});

describe('docs/Provider_Eligibility.md', () => {
  const document = readFileSync(
    new URL('../../../docs/Provider_Eligibility.md', import.meta.url),
    'utf8',
  );
  /** The value column of the document's tables, by the key in their first column. */
  const quoted = Object.fromEntries(
    [...document.matchAll(/^\| `([\w.]+)` +\| +([^|]+?) +\|/gm)].map(([, key, value]) => [
      key,
      value,
    ]),
  );

  it('quotes every value of the policy file, and no other', () => {
    const { default: thresholds, scoring } = policy;
    expect(quoted).toEqual({
      version: String(policy.version),
      effective_from: policy.effective_from,
      reviewer: policy.reviewer,
      review_every_days: String(policy.review_every_days),
      policy_version: `\`${policyVersion(policy)}\``,
      'default.min_score': String(thresholds.min_score),
      'default.min_collateral.amount': Number(thresholds.min_collateral.amount).toLocaleString(
        'en',
      ),
      'default.min_collateral.currency': thresholds.min_collateral.currency,
      'default.max_score_age_days': String(thresholds.max_score_age_days),
      'default.cpa_certified': String(thresholds.cpa_certified),
      'default.min_tier': thresholds.min_tier,
      policies: policy.policies.length === 0 ? 'none' : String(policy.policies.length),
      'scoring.weights_percent.success': String(scoring.weights_percent.success),
      'scoring.weights_percent.on_time': String(scoring.weights_percent.on_time),
      'scoring.weights_percent.disputes': String(scoring.weights_percent.disputes),
      'scoring.weights_percent.manual_alerts': String(scoring.weights_percent.manual_alerts),
      'scoring.operator_score_holds_days': String(scoring.operator_score_holds_days),
    });
  });

  it('has no other number in its text than those, so that none can go stale', () => {
    const known = new Set(
      [...Object.values(quoted), '0', '100', '404', '409', '1', '10'].map((value) =>
        String(value).replaceAll(',', ''),
      ),
    );
    const prose = document
      .replaceAll(/^\|.*$/gm, '')
      .replaceAll(/`[^`]*`/g, '')
      .replaceAll(/^\d+\. /gm, '')
      .replaceAll(/SHA-256/g, '');
    const numbers = [...prose.matchAll(/\d[\d,]*(?:\.\d+)?/g)].map(([text]) =>
      text.replaceAll(',', ''),
    );
    expect(numbers.filter((number) => !known.has(number))).toEqual([]);
  });

  it('says how exceptions are handled, where to escalate and how it is maintained', () => {
    const sections = document.split(/^## /m).map((section) => section.split('\n'));
    const written = sections.filter((lines) => lines.slice(1).some((line) => line.length > 40));
    expect(written.map(([title]) => title)).toEqual(
      expect.arrayContaining(['How a decision is made', 'Exceptions', 'Escalation', 'Maintenance']),
    );
  });

  it('names requirements that the matrix knows', () => {
    const matrix = readFileSync('docs/rtm.yaml', 'utf8');
    const named = [...document.matchAll(/\bEWP-[A-Z0-9.]+\b/g)].map(([id]) => id);
    expect(named.length).toBeGreaterThan(0);
    expect(named.filter((id) => !matrix.includes(`- id: ${id}\n`))).toEqual([]);
  });

  it('explains every reason in the order in which they are listed', () => {
    const explained = [...document.matchAll(/^\d+\. `(\w+)`/gm)].map(([, reason]) => reason);
    expect(explained).toEqual([...reasons]);
  });
});
