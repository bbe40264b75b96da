import { sha256Hex } from '../canonical-json.ts';
import { AppError } from '../errors.ts';
import { lease, rateLimits, windowStartMs } from '../rate-limits/lease.ts';
import { ref } from '../store/collection.ts';
import { set } from '../store/decision.ts';
import type { Services } from './services.ts';

interface Held {
  windowStartMs: number;
  permits: number;
  exhausted: boolean;
  /** The lease under way, which every request that finds no permit waits for. */
  leasing: Promise<void> | null;
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
    mine = { windowStartMs: startMs, permits: 0, exhausted: false, leasing: null };
    held.set(bucket, mine);
    if (held.size > HELD_MAX) held.delete(held.keys().next().value ?? '');
  }
  while (mine.permits === 0 && !mine.exhausted)
    await (mine.leasing ??= leaseInto(mine, store, bucket, limit, endMs));
  if (mine.permits === 0) {
    const retryAfterS = Math.max(1, Math.ceil((endMs - now().getTime()) / 1_000));
    throw new AppError('rate_limited', `Too many requests; try again in ${retryAfterS} s.`, {
      retryAfterS,
    });
  }
  mine.permits--;
}

async function leaseInto(
  held: Held,
  store: Services['store'],
  bucket: string,
  limit: number,
  endMs: number,
): Promise<void> {
  const counter = ref(rateLimits, sha256Hex(`${bucket}\n${held.windowStartMs}`).slice(0, 40));
  try {
    const granted = await store.revise({ counter }, (docs) => {
      const { granted, next } = lease(docs.counter, limit, { endMs });
      return { writes: granted > 0 ? [set(counter, next)] : [], reply: granted };
    });
    held.permits += granted;
    held.exhausted = granted === 0;
  } finally {
    held.leasing = null;
  }
}

function heldOf(store: object): Map<string, Held> {
  let held = heldBy.get(store);
  if (!held) heldBy.set(store, (held = new Map()));
  return held;
}
