import { z } from 'zod';

import { healthStates, newHealthState } from '../../shared/execution/health.ts';
import { keyId } from '../../shared/execution/key.ts';
import {
  BreakerView,
  GivenNames,
  breakerView,
  namedKey,
} from '../../shared/execution/operate-breaker.ts';
import { endpoint } from '../../shared/runtime/endpoint.ts';
import { Paging } from '../../shared/runtime/paging.ts';
import { ref } from '../../shared/store/collection.ts';

export default endpoint('list-breakers', {
  summary: 'List circuit breakers, by default those that are not closed',
  description:
    'With tenant_id, provider_name and capability it lists the one breaker that they name, whatever its state, also before its first call. Tenant `*` has the breakers over all tenants.',
  query: Paging.extend({
    breaker_state: BreakerView.shape.breaker_state.optional(),
    ...GivenNames,
  }),
  reply: z.object({ breakers: z.array(BreakerView), next_cursor: z.string().nullable() }),
  handle: async ({ query: { breaker_state, limit, cursor, ...names } }, { store, at }) => {
    const key = namedKey(names);
    if (key) {
      const doc = await store.get(ref(healthStates, keyId(key)));
      const view = breakerView(doc ?? newHealthState(key, at));
      const isListed = breaker_state === undefined || breaker_state === view.breaker_state;
      return { breakers: isListed ? [view] : [], next_cursor: null };
    }
    const page = await store.query({
      collection: healthStates,
      where: [
        breaker_state === undefined
          ? { field: 'breaker_state', op: 'in', value: ['open', 'half_open'] }
          : { field: 'breaker_state', op: '==', value: breaker_state },
        ...Object.entries(names).flatMap(([field, value]) =>
          value === undefined ? [] : [{ field, op: '==' as const, value }],
        ),
      ],
      limit,
      cursor,
    });
    return { breakers: page.docs.map(breakerView), next_cursor: page.nextCursor };
  },
});
