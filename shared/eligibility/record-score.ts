import { notFound } from '../errors.ts';
import { type Match, matches } from '../matching/schema.ts';
import { ref } from '../store/collection.ts';
import { type Command, type Decision, type Docs, set } from '../store/decision.ts';
import type { RecordScore, ScoreSnapshot } from './ledger.ts';
import type { EligibilityPolicy } from './policy.ts';
import { snapshotOf } from './snapshot.ts';

export interface RecordScoreCommand extends Command {
  readonly provider_id: string;
  readonly request: RecordScore;
  readonly policy: EligibilityPolicy;
}

export const recordScoreRefs = ({ provider_id }: Pick<RecordScoreCommand, 'provider_id'>) => ({
  match: ref(matches, provider_id),
});

/**
 * Appends a score, which counts from the same commit on. One that was captured before the present one
 * (a late message) is kept for the record and changes nothing else.
 *
 * @throws {AppError} `not_found`
 */
export function recordScore(
  { match }: Docs<ReturnType<typeof recordScoreRefs>>,
  command: RecordScoreCommand,
): Decision<ScoreSnapshot> {
  if (!match) throw notFound('provider');
  const { score: value, source, note } = command.request;
  const captured_at = command.at.toISOString();
  const scored: Match = {
    ...match,
    score: { value, source, captured_at },
    updated_at: captured_at,
    version: match.version + 1,
  };
  const { snapshot, write } = snapshotOf(scored, command, {
    source,
    note: note ?? null,
    currency: command.policy.default.min_collateral.currency,
  });
  const isNewest = match.score === null || match.score.captured_at <= captured_at;
  return {
    writes: [write, ...(isNewest ? [set(ref(matches, match.provider_id), scored)] : [])],
    reply: snapshot,
  };
}
