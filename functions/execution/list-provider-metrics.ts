import { z } from 'zod';

import { AttemptRow } from '../../shared/execution/metrics.ts';
import { attemptPage } from '../../shared/runtime/attempt-pages.ts';
import { endpoint } from '../../shared/runtime/endpoint.ts';
import { Paging } from '../../shared/runtime/paging.ts';
import { tenantAsked } from '../../shared/runtime/tenant-access.ts';
import { GivenTimestamp } from '../../shared/time.ts';

const Name = z.string().min(1).max(256);

export default endpoint('list-provider-metrics', {
  summary: 'List attempts to call providers, newest first',
  description:
    'Successes are stored in packs: a pack comes where its newest attempt belongs. An attempt shows up once its instance has written it: one that failed at once, one that succeeded within about half a minute of work. A page without attempts but with `next_cursor` set ends a long search; go on with it.',
  query: Paging.extend({
    /** Needed by the operator; an organisation's own when absent. */
    tenant_id: Name.optional(),
    provider_name: Name.optional(),
    capability: Name.optional(),
    outcome: AttemptRow.shape.outcome.optional(),
    correlation_id: Name.optional(),
    /** At or after. */
    from: GivenTimestamp.optional(),
    /** Before. */
    to: GivenTimestamp.optional(),
  }).strict(),
  reply: z.object({ attempts: z.array(AttemptRow), next_cursor: z.string().nullable() }),
  handle: async (
    { query: { tenant_id, limit, cursor, ...filter } },
    { store, execution, caller },
  ) => {
    const { tenantId, isReadable } = tenantAsked(caller, tenant_id);
    if (!isReadable) return { attempts: [], next_cursor: null };
    // What this very instance has counted; one that only answers questions has nothing.
    await execution.flush();
    const { attempts, nextCursor } = await attemptPage(store, tenantId, filter, { limit, cursor });
    return { attempts, next_cursor: nextCursor };
  },
});
