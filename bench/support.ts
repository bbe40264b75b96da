import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';

import { Firestore } from '@google-cloud/firestore';

import { encode } from '../shared/google/codec.ts';
import { withSubscriptions } from '../shared/matching/compose.ts';
import { PatternText } from '../shared/matching/pattern.ts';
import { type CompactSubscription, type Match, matches } from '../shared/matching/schema.ts';
import { type Ref, ref } from '../shared/store/collection.ts';
import type { Config } from '../shared/runtime/config.ts';

/** Writes of one commit: as many as Firestore took before it dropped the limit. */
const BATCH = 500;

/** Prints one line of results. */
export function report(bench: string, name: string, figures: object): void {
  process.stdout.write(`${JSON.stringify({ bench, name, ...figures })}\n`);
}

export const round = (value: number): number => Math.round(value * 100) / 100;

/** The value that `share` (0 to 1) of the samples do not exceed. */
export function percentile(samples: readonly number[], share: number): number {
  const sorted = samples.toSorted((a, b) => a - b);
  return sorted[Math.max(0, Math.ceil(sorted.length * share) - 1)] ?? Number.NaN;
}

export async function timeMs(work: () => Promise<unknown>): Promise<number> {
  const startedMs = performance.now();
  await work();
  return performance.now() - startedMs;
}

/** A folder that is gone when `work` is done. */
export async function inTemporaryFolder<T>(work: (folder: string) => Promise<T>): Promise<T> {
  const folder = mkdtempSync(join(tmpdir(), 'purvey-bench-'));
  try {
    return await work(folder);
  } finally {
    rmSync(folder, { recursive: true, force: true });
  }
}

/** A document to be there before the measuring. */
export interface Seed {
  readonly ref: Ref<unknown>;
  readonly doc: unknown;
}

/** Writes documents with Google's client, each checked against its collection's schema. */
export async function seed(
  config: Config,
  seeds: Iterable<Seed> | AsyncIterable<Seed>,
): Promise<void> {
  const host = config.cloud_endpoint;
  if (host === undefined) throw new Error('seeding needs an embedded cloud');
  const client = new Firestore({ projectId: config.project, host, ssl: false });
  let batch = client.batch();
  let size = 0;
  const commit = async () => {
    await batch.commit();
    batch = client.batch();
    size = 0;
  };
  for await (const { ref: place, doc } of seeds) {
    batch.set(client.doc(place.path), encode(place.collection, place.path, doc));
    if (++size === BATCH) await commit();
  }
  if (size > 0) await commit();
  await client.terminate();
}

export const providerId = (index: number): string => `prov_${index.toString(16).padStart(16, '0')}`;
export const subscriptionId = (index: number): string =>
  `sub_${index.toString(16).padStart(16, '0')}`;

/** A subscription without conditions. */
export const plainSubscription = (
  index: number,
  categories: readonly string[],
  webhookUrl: string,
  at: Date,
): CompactSubscription => ({
  subscription_id: subscriptionId(index),
  categories: categories.map((text) => PatternText.parse(text)),
  filters: { min_budget: null, max_latency_ms: null, regions: [] },
  cpa_preferences: {
    only_cpa_enabled: false,
    min_bonus_opportunity: null,
    max_penalty_exposure: null,
    preferred_criteria: [],
  },
  delivery_method: 'webhook',
  webhook_url: webhookUrl,
  created_at: at.toISOString(),
});

/** The match document of an eligible provider, its keys made by the product's own rule. */
export function eligibleMatch(
  index: number,
  subscriptions: readonly CompactSubscription[],
  at: Date,
): Match {
  const time = at.toISOString();
  const unsubscribed: Match = {
    provider_id: providerId(index),
    name: `Provider ${index}`,
    endpoint: `https://agent-${index}.example.com`,
    keys: [],
    subscriptions: [],
    status: 'ACTIVE',
    trust_tier: 'UNVERIFIED',
    trust_score: 0.5,
    score: { value: 88.5, source: 'operator', captured_at: time },
    collateral: { IRR: '250000000' },
    locked: {},
    cpa: null,
    pricing_tiers: [],
    updated_at: time,
    version: 1,
  };
  return withSubscriptions(unsubscribed, subscriptions, at);
}

export const seedOf = (match: Match): Seed => ({
  ref: ref(matches, match.provider_id),
  doc: match,
});
