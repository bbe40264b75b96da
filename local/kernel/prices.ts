/**
 * US dollars per unit in us-central1, a single region, without free quotas and volume discounts, as of
 * 2026-11. Not in it, because no single request causes it: what is stored, key versions (0.06 a month
 * each), jobs (0.10 a month each), egress, and the functions' own time.
 */
export const USD_PER = {
  // https://cloud.google.com/firestore/pricing: 0.03, 0.09 and 0.01 per 100,000 documents.
  reads: 0.03 / 100_000,
  writes: 0.09 / 100_000,
  deletes: 0.01 / 100_000,
  // https://cloud.google.com/tasks/pricing: 0.40 per million operations, of 32 KB each.
  tasks: 0.4 / 1_000_000,
  // https://cloud.google.com/pubsub/pricing: 40 per TiB published and delivered; a request is charged
  // as 1,000 bytes at least.
  messageBytes: 40 / 2 ** 40,
  // https://cloud.google.com/kms/pricing: 0.03 per 10,000 operations with a software key.
  kmsOperations: 0.03 / 10_000,
} as const;
