import { z } from 'zod';

import { ProviderStatus, providers } from '../../shared/providers/schema.ts';
import { ProviderSummary } from '../../shared/providers/replies.ts';
import { endpoint } from '../../shared/runtime/endpoint.ts';
import { Paging } from '../../shared/runtime/paging.ts';

export default endpoint('list-providers', {
  summary: 'List providers, ACTIVE ones by default',
  query: Paging.extend({
    status: ProviderStatus.default('ACTIVE'),
    capability: z.string().min(1).max(128).optional(),
  }),
  reply: z.object({
    providers: z.array(ProviderSummary),
    /** All that match, not only this page. */
    total: z.int(),
    next_cursor: z.string().nullable(),
  }),
  handle: async ({ query: { status, capability, limit, cursor } }, { store }) => {
    const query = {
      collection: providers,
      where: [
        { field: 'status', op: '==', value: status },
        ...(capability !== undefined
          ? [{ field: 'capabilities', op: 'array-contains', value: capability } as const]
          : []),
      ] as const,
    };
    const [page, total] = await Promise.all([
      store.query({ ...query, limit, cursor }),
      store.count(query),
    ]);
    return { providers: [...page.docs], total, next_cursor: page.nextCursor };
  },
});
