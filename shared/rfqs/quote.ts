import { z } from 'zod';

import { derivedId } from '../ids.ts';
import { Currency } from '../money/currency.ts';
import { NonNegativeDecimal, PositiveDecimal, StoredDecimal } from '../money/decimal.ts';
import { Rate } from '../providers/cpa.ts';
import { collection, ref } from '../store/collection.ts';
import { Timestamp } from '../time.ts';

const Confidence = z.number().min(0, 'must be 0 to 1').max(1, 'must be 0 to 1');

const guarantees = z
  .array(
    z.object({
      metric: z.string().min(1).max(64),
      guarantee: z.union([z.boolean(), z.number(), z.string().max(256)]),
      confidence: Confidence,
    }),
  )
  .max(10);

/** POST /v1/rfqs/{id}/quotes. */
export const SubmitQuote = z.object({
  price: PositiveDecimal,
  currency: Currency,
  /** How sure the provider is to succeed. */
  confidence: Confidence,
  /** How much of the RFQ's quantity the provider can take; all of it when absent. */
  capacity: PositiveDecimal.nullish(),
  /**
   * Of an RFQ with CPA terms: who quotes accepts them, and absence says so as well. What says otherwise is
   * refused.
   */
  cpa_acceptance: z
    .object({
      accept_cpa_terms: z.boolean().default(true),
      accept_penalty: z.boolean().default(true),
      max_penalty_accepted: Rate.nullish(),
      expected_bonus: NonNegativeDecimal.nullish(),
      criteria_guarantees: guarantees.default([]),
    })
    .nullish(),
  message: z.string().max(2_000).nullish(),
});
export type SubmitQuote = z.infer<typeof SubmitQuote>;

export const Quote = z.object({
  quote_id: z.string(),
  rfq_id: z.string(),
  provider_id: z.string(),
  status: z.enum(['SUBMITTED', 'AWARDED']),
  price: StoredDecimal,
  currency: z.string(),
  confidence: Confidence,
  capacity: StoredDecimal.nullable(),
  cpa_acceptance: z
    .object({
      accept_cpa_terms: z.boolean(),
      accept_penalty: z.boolean(),
      max_penalty_accepted: Rate.nullable(),
      expected_bonus: StoredDecimal.nullable(),
      criteria_guarantees: guarantees,
    })
    .nullable(),
  message: z.string().nullable(),
  submitted_at: Timestamp,
  updated_at: Timestamp,
  version: z.int().positive(),
});
export type Quote = z.infer<typeof Quote>;

/** Under the provider's id: it has one live quote per RFQ, and sending another replaces it. */
export const quotes = collection('rfqs/*/quotes', Quote);

export const quoteRef = (rfqId: string, providerId: string) => ref(quotes, rfqId, providerId);

/** Every submission has an id of its own, so that a buyer awards what it has seen and nothing else. */
export const quoteId = (rfqId: string, providerId: string, version: number): string =>
  derivedId('quo', rfqId, providerId, String(version));
