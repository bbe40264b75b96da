import fc from 'fast-check';
import { describe, expect, it } from 'vitest';

import {
  type BudgetOutcome,
  fullBudget,
  mayRetry,
  tokensAfter,
} from '../../../shared/execution/retry-budget.ts';

const budget = { budgetTokens: 10, budgetTokenRatio: 0.1 };
const after = (outcomes: readonly BudgetOutcome[], from = fullBudget(budget)) =>
  outcomes.reduce((tokens, outcome) => tokensAfter(tokens, outcome, budget), from);
const times = (count: number, outcome: BudgetOutcome) => Array<BudgetOutcome>(count).fill(outcome);

describe('case 33: the retry budget', () => {
  it('case 33: allows no retry once half of the tokens or fewer are left', () => {
    expect(mayRetry(after(times(4, 'retryable')), budget)).toBe(true);
    expect(after(times(5, 'retryable'))).toBe(5);
    expect(mayRetry(after(times(5, 'retryable')), budget)).toBe(false);
    expect(mayRetry(after(times(50, 'retryable')), budget)).toBe(false);
  });

  it('case 33: is refilled by a success, by its ratio', () => {
    const half = after(times(5, 'retryable'));
    expect(tokensAfter(half, 'success', budget)).toBeCloseTo(5.1);
    expect(mayRetry(tokensAfter(half, 'success', budget), budget)).toBe(true);
  });

  it('case 33: is not drained by failures that no retry would mend', () => {
    expect(after(times(100, 'other'))).toBe(10);
    expect(after(times(100, 'other'), 5)).toBe(5);
  });

  it('case 33: needs ten successes to make up for one failure', () => {
    const low = after(times(6, 'retryable'));
    expect(mayRetry(after(times(10, 'success'), low), budget)).toBe(false);
    expect(mayRetry(after(times(11, 'success'), low), budget)).toBe(true);
  });

  it('is never less than empty, so that a long outage is made up for like a short one', () => {
    expect(after(times(50, 'retryable'))).toBe(0);
    expect(after([...times(50, 'retryable'), ...times(51, 'success')])).toBeCloseTo(5.1);
  });

  it('is switched off with 0 tokens', () => {
    const off = { budgetTokens: 0, budgetTokenRatio: 0.1 };
    const tokens = tokensAfter(fullBudget(off), 'retryable', off);
    expect(mayRetry(tokens, off)).toBe(true);
  });

  it('stays between empty and full, and success never lowers it', () => {
    const outcomes = fc.array(fc.constantFrom<BudgetOutcome[]>('success', 'retryable', 'other'), {
      maxLength: 200,
    });
    fc.assert(
      fc.property(outcomes, (sequence) => {
        const tokens = after(sequence);
        expect(tokens).toBeGreaterThanOrEqual(0);
        expect(tokens).toBeLessThanOrEqual(10);
        expect(tokensAfter(tokens, 'success', budget)).toBeGreaterThanOrEqual(tokens);
      }),
    );
  });

  it('lets a provider that is down be retried only a few times, however many call it', () => {
    let tokens = fullBudget(budget);
    let retries = 0;
    for (let call = 0; call < 1_000; call++) {
      tokens = tokensAfter(tokens, 'retryable', budget);
      if (mayRetry(tokens, budget)) retries++;
    }
    expect(retries).toBe(4);
  });
});
