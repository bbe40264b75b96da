import { z } from 'zod';

import { collection } from '../store/collection.ts';

/** One keyed request of one caller. Id: hash of caller, function and key. Kept 24 hours. */
export const IdempotencyRecord = z.object({
  /** HMAC of method, path, query and body: what must be equal for the key to mean the same request. */
  request_hmac: z.string(),
  state: z.enum(['running', 'done']),
  /** The run that holds the record; it recognises its own write when the acknowledgement was lost. */
  run_id: z.string(),
  /** While running: another attempt may take over after this time, ISO 8601. */
  lease_until: z.string(),
  status: z.int().optional(),
  /** The answer as JSON, without the fields in `withheld`. */
  response: z.string().optional(),
  /** Names of secret fields that the first answer held. */
  withheld: z.array(z.string()).optional(),
  expire_at: z.date(),
});
export type IdempotencyRecord = z.infer<typeof IdempotencyRecord>;
export const idempotencyRecords = collection('idempotency', IdempotencyRecord);

const KEEP_MS = 24 * 3_600_000;

export type Verdict =
  | { readonly kind: 'run'; readonly record: IdempotencyRecord }
  | { readonly kind: 'replay'; readonly record: IdempotencyRecord }
  | { readonly kind: 'mismatch' }
  | { readonly kind: 'running'; readonly retryAfterS: number };

/**
 * The record of a run that begins.
 *
 * @param leaseMs how long it may run before another may take over
 */
export const begun = (
  runId: string,
  requestHmac: string,
  at: Date,
  leaseMs: number,
): IdempotencyRecord => ({
  request_hmac: requestHmac,
  state: 'running',
  run_id: runId,
  lease_until: new Date(at.getTime() + leaseMs).toISOString(),
  expire_at: new Date(at.getTime() + KEEP_MS),
});

/** What to do with a request for which `found` stands: `mine` is the record this run would write. */
export function judge(found: IdempotencyRecord | null, mine: IdempotencyRecord, at: Date): Verdict {
  const fresh = found !== null && found.expire_at > at ? found : null;
  if (fresh && fresh.request_hmac !== mine.request_hmac) return { kind: 'mismatch' };
  if (fresh?.state === 'done') return { kind: 'replay', record: fresh };
  if (fresh && fresh.run_id !== mine.run_id && fresh.lease_until > at.toISOString()) {
    const leftMs = Date.parse(fresh.lease_until) - at.getTime();
    return { kind: 'running', retryAfterS: Math.max(1, Math.ceil(leftMs / 1_000)) };
  }
  return { kind: 'run', record: mine };
}
