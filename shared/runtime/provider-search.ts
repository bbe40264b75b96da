import { z } from 'zod';

import { AppError } from '../errors.ts';
import { ProviderSummary } from '../providers/replies.ts';
import { type Provider, providers } from '../providers/schema.ts';
import { ProviderSearch, type SearchPlan, planSearch } from '../providers/search.ts';
import type { RequestContext } from './context.ts';
import { cursorOf } from './cursor.ts';
import { Paging } from './paging.ts';
import type { Page, Store } from './services.ts';

/** Documents that one request reads at most; a search that finds less among them is paged. */
const SCANNED_MAX = 300;
const BATCH_MAX = 100;
const COUNTED_MAX = 1_000;

export const ProviderQuery = ProviderSearch.extend(Paging.shape);

export const ProviderPage = z.object({
  providers: z.array(ProviderSummary),
  /**
   * All that match, not only this page, counted up to 1,000; of this page where `min_trust` or more than
   * one of capability, skill_tags, text and region are given.
   */
  total: z.int(),
  next_cursor: z.string().nullable(),
});

/**
 * One page of the providers that match. What it costs does not depend on how many there are.
 *
 * @throws {AppError} `forbidden` for providers that are not ACTIVE, unless the operator asks
 */
export async function searchProviders(
  { limit, cursor, ...search }: z.output<typeof ProviderQuery>,
  { store, caller }: Pick<RequestContext, 'store' | 'caller'>,
): Promise<z.input<typeof ProviderPage>> {
  if (search.status !== 'ACTIVE' && caller.kind !== 'operator')
    throw new AppError(
      'forbidden',
      'Only the operator lists providers that are not ACTIVE; leave status out.',
    );
  const plan = planSearch(search);
  if (plan.isMatch === null) {
    const { where, orderBy } = plan;
    const [page, total] = await Promise.all([
      store.query({ collection: providers, where, ...(orderBy && { orderBy }), limit, cursor }),
      store.count({ collection: providers, where, upTo: COUNTED_MAX }),
    ]);
    return { providers: [...page.docs], total, next_cursor: page.nextCursor };
  }
  const page = await scan(store, plan, limit, cursor);
  return { providers: page.found, total: page.found.length, next_cursor: page.nextCursor };
}

async function scan(
  store: Store,
  { where, orderBy, isMatch }: SearchPlan,
  limit: number,
  cursor: string | undefined,
): Promise<{ found: Provider[]; nextCursor: string | null }> {
  const found: Provider[] = [];
  let scanned = 0;
  let next: string | null = cursor ?? null;
  do {
    const page: Page<Provider> = await store.query({
      collection: providers,
      where,
      ...(orderBy && { orderBy }),
      limit: Math.min(scanned === 0 ? limit : BATCH_MAX, SCANNED_MAX - scanned),
      cursor: next ?? undefined,
    });
    for (const provider of page.docs) {
      if (isMatch?.(provider)) found.push(provider);
      if (found.length < limit) continue;
      const isLast = provider === page.docs.at(-1);
      const { updated_at, provider_id } = provider;
      const here = cursorOf(orderBy ? [updated_at, provider_id] : [provider_id]);
      return { found, nextCursor: isLast ? page.nextCursor : here };
    }
    scanned += page.docs.length;
    next = page.nextCursor;
  } while (next !== null && scanned < SCANNED_MAX);
  return { found, nextCursor: next };
}
