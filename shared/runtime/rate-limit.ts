import { AppError } from '../errors.ts';
import { lease, rateLimits, windowStartMs } from '../rate-limits/lease.ts';
import { ref } from '../store/collection.ts';
import { set } from '../store/decision.ts';
import { sha256Hex } from './hash.ts';
import type { Services } from './services.ts';

interface Held {
  windowStartMs: number;
  permits: number;
  exhausted: boolean;
}

/** Windows that one instance keeps in memory at most; beyond it the oldest are forgotten and leased anew. */
const HELD_MAX = 10_000;

const heldBy = new WeakMap<object, Map<string, Held>>();

/**
 * Takes one permit of `bucket`, from memory where this instance still holds some.
 *
 * @throws {AppError} `rate_limited` with the seconds until the window ends
 */
export async function takePermit(
  { store, now }: Pick<Services, 'store' | 'now'>,
  bucket: string,
  limit: number,
  windowS: number,
): Promise<void> {
  const held = heldOf(store);
  const startMs = windowStartMs(now().getTime(), windowS);
  const endMs = startMs + windowS * 1_000;
  let mine = held.get(bucket);
  if (mine?.windowStartMs !== startMs) {
    mine = { windowStartMs: startMs, permits: 0, exhausted: false };
    held.set(bucket, mine);
    if (held.size > HELD_MAX) held.delete(held.keys().next().value ?? '');
  }
  if (mine.permits === 0 && !mine.exhausted) {
    const counter = ref(rateLimits, sha256Hex(`${bucket}\n${startMs}`).slice(0, 40));
    const granted = await store.revise({ counter }, (docs) => {
      const { granted, next } = lease(docs.counter, limit, { endMs });
      return { writes: granted > 0 ? [set(counter, next)] : [], reply: granted };
    });
    mine.permits += granted;
    mine.exhausted = granted === 0;
  }
  if (mine.permits === 0) {
    const retryAfterS = Math.max(1, Math.ceil((endMs - now().getTime()) / 1_000));
    throw new AppError('rate_limited', `Too many requests; try again in ${retryAfterS} s.`, {
      retryAfterS,
    });
  }
  mine.permits--;
}

function heldOf(store: object): Map<string, Held> {
  let held = heldBy.get(store);
  if (!held) heldBy.set(store, (held = new Map()));
  return held;
}
