import type { RetryPolicy } from './policy.ts';

/*
 * Keeps retries from multiplying the load on a provider that fails for everybody: a bucket of tokens
 * for all calls to it, as gRPC throttles retries.
 * https://github.com/grpc/proposal/blob/master/A6-client-retries.md#throttling-retry-attempts-and-hedged-rpcs
 */

type Budget = Pick<RetryPolicy, 'budgetTokens' | 'budgetTokenRatio'>;

/** How a call ended, as far as the budget cares; `other` is a failure that no retry would mend. */
export type BudgetOutcome = 'success' | 'retryable' | 'other';

/** What a bucket starts with. */
export const fullBudget = ({ budgetTokens }: Budget): number => budgetTokens;

/** A retryable failure takes a token, a success gives back `budgetTokenRatio` of one. */
export function tokensAfter(tokens: number, outcome: BudgetOutcome, budget: Budget): number {
  switch (outcome) {
    case 'success':
      return Math.min(budget.budgetTokens, tokens + budget.budgetTokenRatio);
    case 'retryable':
      return Math.max(0, tokens - 1);
    case 'other':
      return tokens;
  }
}

/** Whether more than half of the tokens are left. A budget of 0 tokens is switched off. */
export const mayRetry = (tokens: number, { budgetTokens }: Budget): boolean =>
  budgetTokens === 0 || tokens > budgetTokens / 2;
