import { z } from 'zod';

import { type AuditPage, PAGE_SIZE, pageRef } from '../../shared/eligibility/audit.ts';
import { lookupKeys } from '../../shared/matching/keys.ts';
import { matches } from '../../shared/matching/schema.ts';
import { planTask } from '../../shared/rfqs/create.ts';
import { deliveryTask } from '../../shared/rfqs/delivery.ts';
import { finishPlan, finishPlanRefs } from '../../shared/rfqs/finish-plan.ts';
import { planPage, recipientsOf } from '../../shared/rfqs/plan.ts';
import { type Rfq, rfqs } from '../../shared/rfqs/schema.ts';
import { eligibilityPolicy, providerRegistry } from '../../shared/runtime/settings.ts';
import { type TaskContext, task } from '../../shared/runtime/task.ts';
import { ref } from '../../shared/store/collection.ts';

export default task('plan-rfq', {
  summary: 'Decide about one page of matching providers and enqueue their deliveries',
  payload: z.object({ rfq_id: z.string(), page: z.int().nonnegative() }),
  handle: async ({ rfq_id, page: index }, context) => {
    const { store, effects, command, at, log } = context;
    const { rfq, found, previous } = await store.getAll({
      rfq: ref(rfqs, rfq_id),
      found: pageRef(rfq_id, index),
      previous: pageRef(rfq_id, Math.max(0, index - 1)),
    });
    if (!rfq) return log.error({ rfq_id }, 'planning dropped: there is no such RFQ');
    // A page that exists was decided before a crash or a duplicate: it is used as it is.
    const page = found ?? (await decided(rfq, index === 0 ? null : previous, index, context));
    // Again for a page found: a crash may have come before its lines were written.
    for (const decision of page.decisions)
      log.info({ event: 'eligibility.decided', rfq_id, ...decision }, 'eligibility decided');
    // An RFQ that closed meanwhile is decided about to the end, but nobody is told any more.
    const isOpen = rfq.status === 'OPEN' && rfq.bid_deadline > at.toISOString();
    await effects.enqueue([
      ...(isOpen ? recipientsOf(page).map((recipient) => deliveryTask(recipient, 0)) : []),
      ...(page.last ? [] : [planTask(rfq_id, index + 1)]),
    ]);
    if (!page.last) return;
    const finishing = command({ last_page: page });
    const { reply } = await store.apply(finishing, finishPlanRefs(finishing), finishPlan);
    log.info({ rfq_id, plan: reply.plan }, 'RFQ planned');
  },
});

/** Decides the page and stores it, before anybody is told; of two at once, the first stored counts. */
async function decided(
  rfq: Rfq,
  previous: AuditPage | null,
  index: number,
  { store, at }: TaskContext,
): Promise<AuditPage> {
  if (index > 0 && !previous)
    throw new Error(`page ${index} was asked for before page ${index - 1}`);
  const candidates = await store.query({
    collection: matches,
    where: [{ field: 'keys', op: 'array-contains-any', value: lookupKeys(rfq.category) }],
    limit: PAGE_SIZE,
    ...(previous?.cursor && { afterId: previous.cursor }),
  });
  const grounds = { ...eligibilityPolicy(), registry: providerRegistry() };
  const { page } = planPage(rfq, candidates.docs, previous, grounds, at);
  const stored = (await store.append(pageRef(rfq.rfq_id, index), page))
    ? page
    : await store.get(pageRef(rfq.rfq_id, index));
  if (!stored) throw new Error(`page ${index} of ${rfq.rfq_id} vanished`);
  return stored;
}
