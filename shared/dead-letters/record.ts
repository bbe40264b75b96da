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
  const dead_letter_id = derivedId('dl', payload.idempotency_key, payload.occurred_at);
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
