/*
 * One RFQ to 1,000 eligible providers, as `npm start` runs it, whose webhooks are one web server that
 * answers 200: deliveries a second and operations per delivered webhook. `node bench/fan-out.ts`
 */
import { setTimeout as delay } from 'node:timers/promises';

import type { Usage } from '../local/kernel/meter.ts';
import { SystemClock } from '../local/kernel/clock.ts';
import { subscriptions } from '../shared/subscriptions/schema.ts';
import { secretAad } from '../shared/subscriptions/secret-aad.ts';
import { ref } from '../shared/store/collection.ts';
import { newWebhookSecret } from '../shared/webhooks/secret.ts';
import {
  type TestPurvey,
  readyBuyer,
  rfqBody,
  startAgent,
  startTestPurvey,
} from '../test/support/purvey.ts';
import {
  eligibleMatch,
  inTemporaryFolder,
  percentile,
  plainSubscription,
  report,
  round,
  type Seed,
  seed,
  seedOf,
} from './support.ts';

const PROVIDERS = 1_000;
/** The first RFQ pays for loading and compiling. */
const WARM_UP = 50;
const RUNS = 3;
const WRITES_GOAL = 1.3;
/** A run that takes longer has gone wrong. */
const RUN_MS = 120_000;
const MINUTE_MS = 60_000;
/** The relay of the outbox runs every minute; a run shall not be charged for it. */
const CLEAR_MS = 25_000;

type Sink = Awaited<ReturnType<typeof startAgent>>;

async function* subscribers(purvey: TestPurvey, sink: Sink): AsyncGenerator<Seed> {
  const { vault, now, randomBytes } = purvey.services;
  const at = now();
  for (let index = 0; index < PROVIDERS; index++) {
    const category = index < WARM_UP ? ['travel.*', 'warm.up'] : ['travel.*'];
    const compacted = plainSubscription(index, category, `${sink.url}/work/${index}`, at);
    const match = eligibleMatch(index, [compacted], at);
    const { subscription_id, categories, filters, cpa_preferences, webhook_url, created_at } =
      compacted;
    const secret = newWebhookSecret(randomBytes(32));
    const ciphertext = await vault.seal(secret, secretAad(subscription_id));
    yield seedOf(match);
    yield {
      ref: ref(subscriptions, subscription_id),
      doc: {
        subscription_id,
        provider_id: match.provider_id,
        categories,
        filters,
        cpa_preferences,
        cpa_filter_active: false,
        delivery: { method: 'webhook', webhook_url },
        secrets: [{ ciphertext, created_at, expires_at: null }],
        status: 'ACTIVE',
        created_at,
        updated_at: created_at,
        version: 1,
      },
    };
  }
}

/** From the request to the last of `expected` webhooks. */
async function deliver(
  purvey: TestPurvey,
  sink: Sink,
  { buyer, category, expected }: { buyer: string; category: string; expected: number },
): Promise<{ ms: number; cpuMs: number; postMs: number; firstMs: number; usage: Usage }> {
  const left = MINUTE_MS - (Date.now() % MINUTE_MS);
  if (left < CLEAR_MS) await delay(left + 1_000);
  await purvey.settle();
  sink.received.length = 0;
  purvey.cloud.meter.reset();
  const cpuBefore = process.cpuUsage();
  const startedMs = performance.now();
  const { status } = await purvey.call('POST', '/v1/rfqs', {
    as: { org: buyer },
    body: rfqBody(purvey, { category }),
  });
  if (status !== 201) throw new Error(`the RFQ was answered by ${status}`);
  const postMs = performance.now() - startedMs;
  let firstMs = Number.NaN;
  while (sink.received.length < expected) {
    await delay(1);
    const ms = performance.now() - startedMs;
    if (Number.isNaN(firstMs) && sink.received.length > 0) firstMs = ms;
    if (ms > RUN_MS) throw new Error(`${sink.received.length} of ${expected} webhooks came`);
  }
  const ms = performance.now() - startedMs;
  const { user, system } = process.cpuUsage(cpuBefore);
  await purvey.settle();
  const webhooks = new Set(sink.received.map(({ headers }) => headers['webhook-id']));
  if (webhooks.size !== expected || sink.received.length !== expected)
    throw new Error(`${sink.received.length} webhooks came, ${webhooks.size} different ones`);
  return { ms, cpuMs: (user + system) / 1_000, postMs, firstMs, usage: purvey.cloud.meter.read() };
}

const perDelivery = ({ reads, writes, deletes, tasks, messages, kmsOperations }: Usage) =>
  Object.fromEntries(
    Object.entries({ reads, writes, deletes, tasks, messages, kmsOperations }).map(([what, n]) => [
      what,
      n / PROVIDERS,
    ]),
  );

await inTemporaryFolder(async (folder) => {
  const purvey = await startTestPurvey({
    clock: new SystemClock(),
    file: `${folder}/cloud.db`,
    env: { PURVEY_LOG_LEVEL: 'info', PURVEY_LOG_FILE: `${folder}/purvey.log` },
  });
  const sink = await startAgent();
  try {
    await seed(purvey.config, subscribers(purvey, sink));
    const { key: buyer } = await readyBuyer(purvey);
    await deliver(purvey, sink, { buyer, category: 'warm.up', expected: WARM_UP });
    const rates: number[] = [];
    for (let run = 1; run <= RUNS; run++) {
      const rfq = { buyer, category: 'travel.booking', expected: PROVIDERS };
      const { ms, cpuMs, postMs, firstMs, usage } = await deliver(purvey, sink, rfq);
      rates.push((PROVIDERS / ms) * 1_000);
      report('fan-out', `run ${run}`, {
        deliveries: PROVIDERS,
        ms: round(ms),
        answeredMs: round(postMs),
        firstWebhookMs: round(firstMs),
        deliveriesPerSecond: round((PROVIDERS / ms) * 1_000),
        // Of this whole process: functions, embedded cloud and the web server that receives.
        cpuMsPerDelivery: round(cpuMs / PROVIDERS),
        perDelivery: perDelivery(usage),
        writesGoal: WRITES_GOAL,
      });
    }
    report('fan-out', 'median', { deliveriesPerSecond: round(percentile(rates, 0.5)) });
  } finally {
    await sink.close();
    await purvey.close();
  }
});
