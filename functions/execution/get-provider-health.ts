import { z } from 'zod';

import { healthStates } from '../../shared/execution/health.ts';
import { quotaStates } from '../../shared/execution/quota.ts';
import { HealthSummary, healthSummary } from '../../shared/execution/summary.ts';
import { endpoint } from '../../shared/runtime/endpoint.ts';
import type { Query, Store } from '../../shared/runtime/services.ts';
import { tenantAsked } from '../../shared/runtime/tenant-access.ts';

const PAGE = 300;
/** Documents of a kind that one answer reads at most. */
const READ_MAX = 2_000;

export default endpoint('get-provider-health', {
  summary: "Show how a tenant's providers do: breaker, last hour's rates, quota",
  description: 'Reads one health and one quota document for each provider and capability.',
  query: z.object({
    /** Needed by the operator; an organisation's own when absent. */
    tenant_id: z.string().min(1).max(256).optional(),
  }),
  reply: HealthSummary,
  handle: async ({ query: { tenant_id } }, { store, execution, caller, at }) => {
    const { tenantId, isReadable } = tenantAsked(caller, tenant_id);
    if (!isReadable) return healthSummary(tenantId, [], [], at);
    // What this very instance has counted; one that only answers questions has nothing.
    await execution.flush();
    const ofTenant = { field: 'tenant_id', op: '==', value: tenantId } as const;
    const [states, quotas] = await Promise.all([
      everyDoc(store, { collection: healthStates, where: [ofTenant] }),
      everyDoc(store, {
        collection: quotaStates,
        where: [ofTenant, { field: 'window_end', op: '>', value: at.toISOString() }],
        orderBy: { field: 'window_end' },
      }),
    ]);
    return {
      ...healthSummary(tenantId, states.docs, quotas.docs, at),
      ...((states.isCut || quotas.isCut) && { truncated: true as const }),
    };
  },
});

async function everyDoc<Doc>(
  store: Store,
  query: Omit<Query<Doc>, 'limit'>,
): Promise<{ docs: Doc[]; isCut: boolean }> {
  const docs: Doc[] = [];
  let cursor: string | undefined;
  do {
    const limit = Math.min(PAGE, READ_MAX - docs.length);
    const page = await store.query({ ...query, limit, cursor });
    docs.push(...page.docs);
    cursor = page.nextCursor ?? undefined;
  } while (cursor !== undefined && docs.length < READ_MAX);
  return { docs, isCut: cursor !== undefined };
}
