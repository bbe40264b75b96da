import { z } from 'zod';

import { healthStates } from '../../shared/execution/health.ts';
import { EVERY_TENANT } from '../../shared/execution/key.ts';
import { quotaStates } from '../../shared/execution/quota.ts';
import { HealthSummary, healthSummary } from '../../shared/execution/summary.ts';
import { endpoint } from '../../shared/runtime/endpoint.ts';
import type { Query, Store } from '../../shared/runtime/services.ts';
import { tenantAsked } from '../../shared/runtime/tenant-access.ts';

const PAGE = 300;
/** Documents of a kind that one answer reads at most. */
const READ_MAX = 2_000;
/** What an outage that every tenant sees has opened: rarely any, so it costs hardly a read. */
const OPEN_FOR_ALL = [
  { field: 'tenant_id', op: '==', value: EVERY_TENANT },
  { field: 'breaker_state', op: 'in', value: ['open', 'half_open'] },
] as const;

export default endpoint('get-provider-health', {
  summary: "Show how a tenant's providers do: breaker, last hour's rates, quota",
  description: 'Reads one health and one quota document for each provider and capability.',
  query: z.strictObject({
    /** Needed by the operator; an organisation's own when absent. */
    tenant_id: z.string().min(1).max(256).optional(),
  }),
  reply: HealthSummary,
  handle: async ({ query: { tenant_id } }, { store, execution, caller, at }) => {
    const { tenantId, isReadable } = tenantAsked(caller, tenant_id);
    if (!isReadable) return healthSummary(tenantId, [], [], [], at);
    // What this very instance has counted; one that only answers questions has nothing.
    await execution.flush();
    const ofTenant = { field: 'tenant_id', op: '==', value: tenantId } as const;
    const [states, quotas] = await Promise.all([
      everyDoc(store, { collection: healthStates, anyOf: [[ofTenant], OPEN_FOR_ALL] }),
      everyDoc(store, {
        collection: quotaStates,
        where: [ofTenant, { field: 'window_end', op: '>', value: at.toISOString() }],
        orderBy: { field: 'window_end' },
      }),
    ]);
    return {
      ...healthSummary(
        tenantId,
        states.docs.filter((doc) => doc.tenant_id === tenantId),
        quotas.docs,
        states.docs.filter((doc) => doc.tenant_id === EVERY_TENANT),
        at,
      ),
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
