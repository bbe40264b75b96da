import { canonicalJson } from '../canonical-json.ts';
import { derivedId } from '../ids.ts';
import { ref } from '../store/collection.ts';
import { type DomainEvent, type Write, create } from '../store/decision.ts';
import { type DeadLetter, type DeadLetterPayload, deadLetters } from './schema.ts';

/**
 * The row and the event of one dead letter. Both carry an id that follows from the operation, so that
 * a consumer of the event which also writes the row finds it written.
 */
export function deadLettered(
  payload: DeadLetterPayload,
  replay: DeadLetter['replay'],
): { write: Write; event: DomainEvent } {
  const { idempotency_key, attempts, occurred_at } = payload;
  // The time alone does not tell apart what failed again within a millisecond of its replay.
  const which = canonicalJson({ attempts, replay });
  const dead_letter_id = derivedId('dl', idempotency_key, occurred_at, which);
  const letter: DeadLetter = {
    ...payload,
    dead_letter_id,
    status: 'OPEN',
    replay,
    replayed_at: null,
    version: 1,
  };
  const at = ref(deadLetters, dead_letter_id);
  return {
    write: create(at, letter),
    event: {
      topic: 'purvey-deadletter',
      type: 'dead_letter.recorded',
      subject: at.path,
      version: letter.version,
      fields: { dead_letter_id, ...payload, replay },
    },
  };
}
