import { z } from 'zod';

import { collection } from '../store/collection.ts';

/** How much of one window's limit has been handed out to instances. Id: hash of bucket and window. */
export const RateLimit = z.object({ used: z.int(), expire_at: z.date() });
export type RateLimit = z.infer<typeof RateLimit>;
export const rateLimits = collection('rate_limits', RateLimit);

/** The start of the window that holds `atMs`, in milliseconds. */
export const windowStartMs = (atMs: number, windowS: number): number =>
  Math.floor(atMs / (windowS * 1_000)) * windowS * 1_000;

/** The share of a limit an instance takes at once: a store transaction per tenth of the limit. */
export const blockOf = (limit: number): number => Math.max(1, Math.floor(limit / 10));

/**
 * Hands out the next block of permits. What a crashed instance had leased is lost until the window
 * ends, so the limit is never exceeded, at worst undershot.
 */
export function lease(
  current: RateLimit | null,
  limit: number,
  window: { readonly endMs: number },
): { granted: number; next: RateLimit } {
  const used = current?.used ?? 0;
  const granted = Math.max(0, Math.min(blockOf(limit), limit - used));
  // A day's grace, so that the sweeper never deletes a window that a slow clock still counts in.
  return {
    granted,
    next: { used: used + granted, expire_at: new Date(window.endMs + 86_400_000) },
  };
}
