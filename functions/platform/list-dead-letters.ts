import { z } from 'zod';

import { DeadLetter, deadLetters } from '../../shared/dead-letters/schema.ts';
import { endpoint } from '../../shared/runtime/endpoint.ts';
import { Paging } from '../../shared/runtime/paging.ts';

const text = z.string().min(1).max(256).optional();

export default endpoint('list-dead-letters', {
  summary: 'List what failed for good, newest first',
  description: 'The filters can be combined: a dead letter is listed that fits all that are given.',
  query: Paging.extend({
    status: DeadLetter.shape.status.optional(),
    tenant_id: text,
    task_name: text,
    provider_name: text,
    reason_code: text,
  }),
  reply: z.object({
    dead_letters: z.array(DeadLetter.omit({ version: true })),
    next_cursor: z.string().nullable(),
  }),
  handle: async ({ query: { limit, cursor, ...filters } }, { store }) => {
    const page = await store.query({
      collection: deadLetters,
      where: Object.entries(filters).flatMap(([field, value]) =>
        value === undefined ? [] : [{ field, op: '==' as const, value }],
      ),
      orderBy: { field: 'occurred_at', descending: true },
      limit,
      cursor,
    });
    return { dead_letters: [...page.docs], next_cursor: page.nextCursor };
  },
});
