import { z } from 'zod';

import {
  FindSubscribed,
  SubscribedProvider,
  subscribedProvider,
} from '../../shared/eligibility/subscribed.ts';
import { lookupKeys } from '../../shared/matching/keys.ts';
import { matches } from '../../shared/matching/schema.ts';
import { endpoint } from '../../shared/runtime/endpoint.ts';
import { eligibilityPolicy, providerRegistry } from '../../shared/runtime/settings.ts';

/** Candidates that one request reads at most; a wider category is paged. */
const CANDIDATES = 300;

export default endpoint('find-subscribed-providers', {
  summary: 'Find the ACTIVE providers whose subscriptions match, each once',
  description:
    'Reads one document per candidate. With `next_cursor` set there are more candidates; pass it as `cursor`.',
  query: FindSubscribed.extend({ cursor: z.string().max(1_024).optional() }),
  reply: z.object({
    category: z.string(),
    cpa_required: z.boolean(),
    count: z.int(),
    providers: z.array(SubscribedProvider),
    next_cursor: z.string().nullable(),
  }),
  handle: async ({ query }, { store, at }) => {
    const { category, cpa_required, cursor } = query;
    const page = await store.query({
      collection: matches,
      where: [{ field: 'keys', op: 'array-contains-any', value: lookupKeys(category) }],
      limit: CANDIDATES,
      cursor,
    });
    const settings = { ...eligibilityPolicy(), registry: providerRegistry() };
    const providers = page.docs.flatMap(
      (match) => subscribedProvider(match, query, settings, at) ?? [],
    );
    return {
      category,
      cpa_required,
      count: providers.length,
      providers,
      next_cursor: page.nextCursor,
    };
  },
});
