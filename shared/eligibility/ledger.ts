import { z } from 'zod';

import { Currency } from '../money/currency.ts';
import { PositiveDecimal, StoredDecimal } from '../money/decimal.ts';
import { collection } from '../store/collection.ts';
import { Timestamp } from '../time.ts';

/** Appended at every change of score or collateral, and never changed: both as they were then. */
export const ScoreSnapshot = z.object({
  snapshot_id: z.string(),
  provider_id: z.string(),
  /** Null when collateral came before any score. */
  score: z.number().nullable(),
  /** The free balance in `currency`, the one that the default policy asks for. */
  collateral_balance: StoredDecimal,
  currency: z.string(),
  /** What changed it: an operator's word, `trust.score_updated`, `computed`, or `collateral`. */
  source: z.string(),
  note: z.string().nullable(),
  captured_at: Timestamp,
  version: z.literal(1),
});
export type ScoreSnapshot = z.infer<typeof ScoreSnapshot>;

export const scoreSnapshots = collection('provider_score_snapshots', ScoreSnapshot);

export const CollateralKind = z.enum(['deposit', 'withdrawal', 'lock', 'release']);
export type CollateralKind = z.infer<typeof CollateralKind>;

export const CollateralEntry = z.object({
  entry_id: z.string(),
  provider_id: z.string(),
  kind: CollateralKind,
  amount: StoredDecimal,
  currency: z.string(),
  /** What it rests on outside: a bank transfer, a contract. */
  reference: z.string(),
  balance_after: StoredDecimal,
  recorded_by: z.string(),
  recorded_at: Timestamp,
  version: z.literal(1),
});
export type CollateralEntry = z.infer<typeof CollateralEntry>;

export const collateralEntries = collection('provider_collateral_entries', CollateralEntry);

/** POST /internal/v1/providers/{id}/scores. */
export const RecordScore = z.object({
  score: z.number().min(0, 'must be 0 to 100').max(100, 'must be 0 to 100'),
  source: z.string().trim().min(1).max(64),
  note: z.string().max(2_000).nullish(),
});
export type RecordScore = z.infer<typeof RecordScore>;

/** POST /internal/v1/providers/{id}/collateral. */
export const RecordCollateral = z.object({
  kind: CollateralKind,
  amount: PositiveDecimal,
  currency: Currency,
  reference: z.string().trim().min(1).max(256),
});
export type RecordCollateral = z.infer<typeof RecordCollateral>;
