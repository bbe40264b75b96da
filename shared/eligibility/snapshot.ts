import { derivedId } from '../ids.ts';
import type { Match } from '../matching/schema.ts';
import { ref } from '../store/collection.ts';
import { type Command, type Write, create } from '../store/decision.ts';
import { type ScoreSnapshot, scoreSnapshots } from './ledger.ts';

/**
 * A snapshot of the score and collateral of `match`, under an id that follows from the command: the
 * same command appends it once.
 */
export function snapshotOf(
  match: Match,
  command: Command,
  { source, note, currency }: Pick<ScoreSnapshot, 'source' | 'note' | 'currency'>,
): { snapshot: ScoreSnapshot; write: Write } {
  const snapshot: ScoreSnapshot = {
    snapshot_id: derivedId('snap', command.id, match.provider_id),
    provider_id: match.provider_id,
    score: match.score?.value ?? null,
    collateral_balance: match.collateral[currency] ?? '0',
    currency,
    source,
    note,
    captured_at: command.at.toISOString(),
    version: 1,
  };
  return { snapshot, write: create(ref(scoreSnapshots, snapshot.snapshot_id), snapshot) };
}
