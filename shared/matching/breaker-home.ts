import type { BreakerHome } from '../execution/call.ts';
import { breakerOf, storedBreaker } from '../execution/health.ts';
import { ref } from '../store/collection.ts';
import { type Match, matches } from './schema.ts';

/** Where the breaker of a provider's webhooks is kept. */
export const breakerHome = (match: Match): BreakerHome => ({
  ref: ref(matches, match.provider_id),
  known: breakerOf(match.breaker ?? null),
  read: (doc: Match) => breakerOf(doc.breaker ?? null),
  write: (doc: Match, breaker, at): Match => ({
    ...doc,
    breaker: storedBreaker(breaker, at, doc.breaker?.breaker.forced ?? null),
  }),
});
