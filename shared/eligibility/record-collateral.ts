import { AppError, notFound } from '../errors.ts';
import { derivedId } from '../ids.ts';
import { type Match, matches } from '../matching/schema.ts';
import { addDecimals, compareDecimals, subtractDecimals } from '../money/decimal.ts';
import { ref } from '../store/collection.ts';
import { type Command, type Decision, type Docs, create, set } from '../store/decision.ts';
import {
  type CollateralEntry,
  type CollateralKind,
  type RecordCollateral,
  collateralEntries,
} from './ledger.ts';
import type { EligibilityPolicy } from './policy.ts';
import { snapshotOf } from './snapshot.ts';

export interface RecordCollateralCommand extends Command {
  readonly provider_id: string;
  readonly request: RecordCollateral;
  /** Who recorded it, for the audit. */
  readonly recorded_by: string;
  readonly policy: EligibilityPolicy;
}

export interface CollateralRecorded {
  readonly entry_id: string;
  readonly balance: string;
  readonly currency: string;
}

export const recordCollateralRefs = ({
  provider_id,
}: Pick<RecordCollateralCommand, 'provider_id'>) => ({ match: ref(matches, provider_id) });

type Step = (held: string, amount: string) => string;
const same: Step = (held) => held;

/** What each kind of entry does to the free balance and to what is locked. */
const effects: Record<CollateralKind, { free: Step; locked: Step }> = {
  deposit: { free: addDecimals, locked: same },
  withdrawal: { free: subtractDecimals, locked: same },
  lock: { free: subtractDecimals, locked: addDecimals },
  release: { free: addDecimals, locked: subtractDecimals },
};

/**
 * Appends an entry to a provider's collateral, and a score snapshot with the new balance.
 *
 * @throws {AppError} `not_found`; `conflict` when more is withdrawn or locked than is free, or more
 *   released than is locked
 */
export function recordCollateral(
  { match }: Docs<ReturnType<typeof recordCollateralRefs>>,
  command: RecordCollateralCommand,
): Decision<CollateralRecorded> {
  if (!match) throw notFound('provider');
  const { kind, amount, currency, reference } = command.request;
  const free = match.collateral[currency] ?? '0';
  const locked = match.locked[currency] ?? '0';
  const balance = effects[kind].free(free, amount);
  const stillLocked = effects[kind].locked(locked, amount);
  if (compareDecimals(balance, '0') < 0)
    throw new AppError(
      'conflict',
      `Only ${free} ${currency} is free; deposit or release more, or take a smaller amount.`,
    );
  if (compareDecimals(stillLocked, '0') < 0)
    throw new AppError('conflict', `Only ${locked} ${currency} is locked; release at most that.`);

  const at = command.at.toISOString();
  const entry: CollateralEntry = {
    entry_id: derivedId('col', command.id, match.provider_id),
    provider_id: match.provider_id,
    kind,
    amount,
    currency,
    reference,
    balance_after: balance,
    recorded_by: command.recorded_by,
    recorded_at: at,
    version: 1,
  };
  const next: Match = {
    ...match,
    collateral: { ...match.collateral, [currency]: balance },
    locked: { ...match.locked, [currency]: stillLocked },
    updated_at: at,
    version: match.version + 1,
  };
  const { write: snapshot } = snapshotOf(next, command, {
    source: 'collateral',
    note: `${kind} ${amount} ${currency}: ${reference}`,
    currency: command.policy.default.min_collateral.currency,
  });
  return {
    writes: [
      create(ref(collateralEntries, entry.entry_id), entry),
      snapshot,
      set(ref(matches, match.provider_id), next),
    ],
    reply: { entry_id: entry.entry_id, balance, currency },
  };
}
