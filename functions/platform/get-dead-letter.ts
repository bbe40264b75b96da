import { DeadLetter, deadLetters } from '../../shared/dead-letters/schema.ts';
import { notFound } from '../../shared/errors.ts';
import { endpoint } from '../../shared/runtime/endpoint.ts';
import { ref } from '../../shared/store/collection.ts';

export default endpoint('get-dead-letter', {
  summary: 'Read one dead letter',
  reply: DeadLetter.omit({ version: true }),
  handle: async ({ params: { dead_letter_id = '' } }, { store }) => {
    const letter = await store.get(ref(deadLetters, dead_letter_id));
    if (!letter) throw notFound('dead letter');
    return letter;
  },
});
