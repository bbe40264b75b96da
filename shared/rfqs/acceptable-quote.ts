import { AppError } from '../errors.ts';
import { invalidField } from '../invalid-field.ts';
import { compareDecimals } from '../money/decimal.ts';
import type { SubmitQuote } from './quote.ts';
import type { Rfq } from './schema.ts';

/**
 * Whether a quote is an offer on the RFQ's terms, so that an award can make a contract of both.
 *
 * @throws {AppError} `currency_mismatch`, `price_above_budget`, or `invalid_request` naming the field
 */
export function assertAcceptable(
  { budget, min_fill, cpa_terms }: Rfq,
  { price, currency, capacity, cpa_acceptance }: SubmitQuote,
): void {
  if (currency !== budget.currency)
    throw new AppError(
      'currency_mismatch',
      `The budget is in ${budget.currency}, the quote in ${currency}; quote in ${budget.currency}.`,
    );
  if (compareDecimals(price, budget.max_price) > 0)
    throw new AppError(
      'price_above_budget',
      `The price ${price} is above the budget; quote at most ${budget.max_price} ${currency}.`,
    );
  if (min_fill !== null && capacity != null && compareDecimals(capacity, min_fill) < 0)
    throw invalidField('body.capacity', `must be at least the RFQ's min_fill, ${min_fill}`);
  if (cpa_terms && cpa_acceptance) assertAccepts(cpa_terms, cpa_acceptance);
}

function assertAccepts(
  { max_penalty_rate }: NonNullable<Rfq['cpa_terms']>,
  {
    accept_cpa_terms,
    accept_penalty,
    max_penalty_accepted,
  }: NonNullable<SubmitQuote['cpa_acceptance']>,
): void {
  const field = (name: string) => `body.cpa_acceptance.${name}`;
  if (!accept_cpa_terms)
    throw invalidField(
      field('accept_cpa_terms'),
      'must be true, because the RFQ has CPA terms; accept them or do not quote',
    );
  if (!accept_penalty && max_penalty_rate > 0)
    throw invalidField(
      field('accept_penalty'),
      `must be true, because the RFQ's max_penalty_rate is ${max_penalty_rate}; accept it or do not quote`,
    );
  if (max_penalty_accepted != null && max_penalty_accepted < max_penalty_rate)
    throw invalidField(
      field('max_penalty_accepted'),
      `must be at least the RFQ's max_penalty_rate, ${max_penalty_rate}`,
    );
}
