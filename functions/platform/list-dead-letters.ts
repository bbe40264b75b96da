import { z } from 'zod';

import { DeadLetter, deadLetters } from '../../shared/dead-letters/schema.ts';
import { endpoint } from '../../shared/runtime/endpoint.ts';
import { Paging } from '../../shared/runtime/paging.ts';

export default endpoint('list-dead-letters', {
  summary: 'List what failed for good, newest first',
  query: Paging,
  reply: z.object({
    dead_letters: z.array(DeadLetter.omit({ version: true })),
    next_cursor: z.string().nullable(),
  }),
  handle: async ({ query }, { store }) => {
    const page = await store.query({
      collection: deadLetters,
      orderBy: { field: 'occurred_at', descending: true },
      ...query,
    });
    return { dead_letters: [...page.docs], next_cursor: page.nextCursor };
  },
});
