import { z } from 'zod';

import { salvaged } from '../../shared/dead-letters/salvage.ts';
import { DeadLetter, deadLetters } from '../../shared/dead-letters/schema.ts';
import { subscriber } from '../../shared/runtime/subscriber.ts';
import { ref } from '../../shared/store/collection.ts';

/** A dead letter that one of our functions published after writing its row. */
const Published = DeadLetter.omit({ status: true, replayed_at: true, version: true }).extend({
  event_type: z.literal('dead_letter.recorded'),
});

export default subscriber('record-dead-letter', {
  summary: 'Keep what failed for good, also messages that no handler could take',
  data: Published,
  handle: async ({ data: { event_type: _, ...letter } }, { store }) => {
    // The row was committed with the event; only a lost one is written here.
    await store.append(ref(deadLetters, letter.dead_letter_id), {
      ...letter,
      status: 'OPEN',
      replayed_at: null,
      version: 1,
    });
  },
  salvage: async ({ id, attributes, text }, { store, at, log }) => {
    const letter = salvaged({ id, attributes, text }, at);
    await store.append(ref(deadLetters, letter.dead_letter_id), letter);
    log.warn(
      { dead_letter_id: letter.dead_letter_id },
      'a message that nobody could handle was kept',
    );
  },
});
