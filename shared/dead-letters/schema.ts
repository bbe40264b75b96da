import { z } from 'zod';

import { collection } from '../store/collection.ts';
import { Timestamp } from '../time.ts';

/** The payload every dead letter carries: what failed for good, for whom, and why. */
export const DeadLetterPayload = z.object({
  /** The organisation behind the work. */
  tenant_id: z.string(),
  /** The rfq_id or run_id it belongs to. */
  campaign_id: z.string().nullable(),
  /** The function whose task failed. */
  task_name: z.string(),
  /** A catalogue name, or a `prov_` id. */
  provider_name: z.string(),
  capability: z.string(),
  operation: z.string(),
  idempotency_key: z.string(),
  correlation_id: z.string(),
  reason_code: z.string(),
  error_type: z.string(),
  error_message: z.string(),
  attempts: z.int().nonnegative(),
  occurred_at: Timestamp,
});
export type DeadLetterPayload = z.infer<typeof DeadLetterPayload>;

export const DeadLetter = DeadLetterPayload.extend({
  dead_letter_id: z.string(),
  status: z.enum(['OPEN', 'REPLAYED']),
  /** What to call again, and with what. */
  replay: z.object({ function: z.string(), payload: z.record(z.string(), z.json()) }),
  replayed_at: Timestamp.nullable(),
  version: z.int().positive(),
});
export type DeadLetter = z.infer<typeof DeadLetter>;

export const deadLetters = collection('dead_letters', DeadLetter);
