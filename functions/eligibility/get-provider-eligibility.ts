import { z } from 'zod';

import { EligibilityDecision, decide } from '../../shared/eligibility/decision.ts';
import { eligibilityView } from '../../shared/eligibility/view.ts';
import { notFound } from '../../shared/errors.ts';
import { Category } from '../../shared/matching/keys.ts';
import { matches } from '../../shared/matching/schema.ts';
import { endpoint } from '../../shared/runtime/endpoint.ts';
import { eligibilityPolicy } from '../../shared/runtime/settings.ts';
import { ref } from '../../shared/store/collection.ts';

/** Stands for no category in particular: only the default policy applies to it. */
const NO_CATEGORY = '-';

export default endpoint('get-provider-eligibility', {
  summary: 'Explain whether a provider may be told of RFQs, with every reason if not',
  query: z.object({ category: Category.optional() }),
  reply: EligibilityDecision.omit({ subscription_id: true, decided_at: true }).extend({
    checked_at: z.string(),
  }),
  handle: async ({ params: { provider_id = '' }, query }, { store, at }) => {
    const match = await store.get(ref(matches, provider_id));
    if (!match) throw notFound('provider');
    const grounds = { ...eligibilityPolicy(), category: query.category ?? NO_CATEGORY };
    return eligibilityView(decide(match, null, grounds, at));
  },
});
