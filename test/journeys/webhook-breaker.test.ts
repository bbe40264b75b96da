import { createServer } from 'node:http';
import type { AddressInfo } from 'node:net';

import { afterAll, beforeAll, describe, expect, test } from 'vitest';

import { healthStates } from '../../shared/execution/health.ts';
import { keyId } from '../../shared/execution/key.ts';
import { createClients } from '../../shared/google/clients.ts';
import { matches } from '../../shared/matching/schema.ts';
import { deliveryRef } from '../../shared/rfqs/delivery.ts';
import { ref } from '../../shared/store/collection.ts';
import {
  type Reply,
  type TestPurvey,
  readyBuyer,
  readyProvider,
  startAgent,
  startTestPurvey,
} from '../support/purvey.ts';
import { settleInTime } from '../support/settle-in-time.ts';
import { seedProviders } from './seed.ts';
import {
  about,
  clockAtPresent,
  ignoreTheDead,
  nextCrash,
  openRfq,
  passRelay,
  readRfq,
  restartAfterCrash,
  secondsAfter,
  storedIn,
  verifiedWebhook,
  webhookIds,
} from './support.ts';

/** Failures in a row that open a breaker, and how long it then stays open. */
const THRESHOLD = 5;
const COOLDOWN_S = 60;

let purvey: TestPurvey;
let acme: { slug: string; key: string };
let globex: typeof acme;
let categories = 0;

beforeAll(async () => {
  ignoreTheDead();
  purvey = await startTestPurvey({ clock: clockAtPresent() });
  acme = await readyBuyer(purvey, 'acme_travel');
  globex = await readyBuyer(purvey, 'globex_travel');
});
afterAll(() => purvey.close());

type Answer = number | 'hang';

/** A provider with a webhook of its own, whose answer can be changed. */
async function providerOf(category: string, first: Answer = 200) {
  const answers: { now: Answer } = { now: first };
  const agent = await startAgent(() => answers.now);
  const { id, webhookSecret } = await readyProvider(purvey, agent.url, { categories: [category] });
  return { ...agent, id, webhookSecret, answers };
}
type Provider = Awaited<ReturnType<typeof providerOf>>;

const newCategory = (): string => `breaker-${++categories}`;

/** Moves the clock second by second, so that whatever is due happens at its time. */
async function pass(seconds: number): Promise<void> {
  for (let second = 0; second < seconds; second++) {
    await purvey.settle();
    await purvey.clock.advance(1_000);
  }
  await purvey.settle();
}

const inSeconds = (seconds: number): string =>
  new Date(purvey.clock.nowMs() + seconds * 1_000).toISOString();

/** Opens an RFQ and lets everybody be told who can be told now. */
async function tell(
  buyer: typeof acme,
  category: string,
  given: Record<string, unknown> = {},
): Promise<string> {
  const { rfq_id } = await openRfq(purvey, buyer, { category, ...given });
  await purvey.settle();
  return rfq_id;
}

/** As many RFQs of a buyer as open the breaker; they end before it lets anything through again. */
async function openBreaker(buyer: typeof acme, category: string): Promise<string[]> {
  const bid_deadline = inSeconds(30);
  const rfqIds: string[] = [];
  for (let i = 0; i < THRESHOLD; i++) rfqIds.push(await tell(buyer, category, { bid_deadline }));
  return rfqIds;
}

const countsOf = async (buyer: typeof acme, rfqId: string) =>
  (await readRfq(purvey, buyer, rfqId)).counts;

const deliveryOf = async (rfqId: string, { id }: Pick<Provider, 'id'>) =>
  purvey.services.store.get(deliveryRef({ rfq_id: rfqId, provider_id: id }));

const keyOf = ({ id }: Pick<Provider, 'id'>) =>
  ({ tenantId: '*', providerName: id, capability: 'webhook_delivery' }) as const;

const namesOf = (provider: Pick<Provider, 'id'>) => {
  const { tenantId, providerName, capability } = keyOf(provider);
  return { tenant_id: tenantId, provider_name: providerName, capability };
};

/** What the operator sees of breakers. */
async function breakers(query: Record<string, string>): Promise<Reply['body'][]> {
  const path = `/internal/v1/breakers?${new URLSearchParams(query).toString()}`;
  const { status, body } = await purvey.call('GET', path, { as: 'operator' });
  if (status !== 200) throw new Error(JSON.stringify(body));
  return body.breakers;
}

async function attemptsOf(buyer: typeof acme, rfqId: string): Promise<Reply['body'][]> {
  await purvey.services.execution.flush();
  const query = new URLSearchParams({
    tenant_id: buyer.slug,
    correlation_id: rfqId,
    limit: '100',
  }).toString();
  const { status, body } = await purvey.call('GET', `/api/v1/provider-metrics?${query}`, {
    as: 'operator',
  });
  if (status !== 200) throw new Error(JSON.stringify(body));
  return body.attempts;
}

const openLettersOf = async (rfqId: string): Promise<Reply['body'][]> => {
  const { body } = await purvey.call('GET', '/api/v1/dead-letters?limit=100', { as: 'operator' });
  return body.dead_letters.filter((letter: Reply['body']) => letter.correlation_id === rfqId);
};

describe("a provider's webhook that fails for one buyer", () => {
  let category: string;
  let bad: Provider;
  let good: Provider;
  let ofAcme: string[];
  let ofGlobex: string;
  let openedMs: number;

  beforeAll(async () => {
    category = newCategory();
    bad = await providerOf(category, 503);
    good = await providerOf(category);
    openedMs = purvey.clock.nowMs();
    ofAcme = await openBreaker(acme, category);
    ofGlobex = await tell(globex, category);
  });
  afterAll(async () => {
    await bad.close();
    await good.close();
  });

  test('opens its breaker, which the operator sees under the tenant *', async () => {
    expect(bad.received).toHaveLength(THRESHOLD);
    const expected = {
      ...namesOf(bad),
      key: keyId(keyOf(bad)),
      breaker_state: 'open',
      consecutive_failures: THRESHOLD,
      open_until: new Date(openedMs + COOLDOWN_S * 1_000).toISOString(),
      forced: null,
    };
    expect(await breakers({ tenant_id: '*' })).toMatchObject([expected]);
    expect(await breakers({ tenant_id: acme.slug })).toEqual([]);
    expect(await breakers(namesOf(bad))).toMatchObject([expected]);
  });

  test('is not called for another buyer either, whose delivery waits and burns no attempt', async () => {
    expect(about(bad.received, ofGlobex)).toEqual([]);
    expect(await deliveryOf(ofGlobex, bad)).toMatchObject({
      attempts: 0,
      progress: {
        state: 'retrying',
        next_attempt_at: new Date(openedMs + COOLDOWN_S * 1_000).toISOString(),
        last_failure: { reason_code: 'circuit_open', http_status: null },
      },
    });
    expect(await attemptsOf(globex, ofGlobex)).toMatchObject([{ provider_name: good.id }]);
  });

  test('keeps nobody else waiting', async () => {
    for (const rfqId of [...ofAcme, ofGlobex]) expect(about(good.received, rfqId)).toHaveLength(1);
    expect(await countsOf(globex, ofGlobex)).toMatchObject({
      eligible: 2,
      delivered: 1,
      failed: 0,
      pending: 1,
    });
    expect(await breakers(namesOf(good))).toMatchObject([{ breaker_state: 'closed' }]);
  });

  test('is left alone while the breaker is open: what ends before then becomes a dead letter', async () => {
    await pass(COOLDOWN_S - 1);
    expect(bad.received).toHaveLength(THRESHOLD);
    for (const rfqId of ofAcme) {
      expect(await countsOf(acme, rfqId)).toMatchObject({ delivered: 1, failed: 1, pending: 0 });
      expect(await openLettersOf(rfqId)).toMatchObject([
        { provider_name: bad.id, reason_code: 'circuit_open', attempts: 1 },
      ]);
    }
  });

  test('is called once the cooldown is over, by one probe, which delivers and closes the breaker', async () => {
    bad.answers.now = 204;
    await pass(1);
    const told = about(bad.received, ofGlobex);
    expect(secondsAfter(openedMs, told)).toEqual([COOLDOWN_S]);
    expect(bad.received).toHaveLength(THRESHOLD + 1);
    const [webhook] = told;
    expect(webhook && verifiedWebhook(webhook, bad.webhookSecret).data).toMatchObject({
      rfq_id: ofGlobex,
    });
    expect(await deliveryOf(ofGlobex, bad)).toMatchObject({
      attempts: 1,
      progress: { state: 'delivered', http_status: 204 },
    });
    expect(await countsOf(globex, ofGlobex)).toMatchObject({ delivered: 2, pending: 0 });
    expect(await breakers(namesOf(bad))).toMatchObject([
      { breaker_state: 'closed', consecutive_failures: 0, open_until: null },
    ]);
    const match = await purvey.services.store.get(ref(matches, bad.id));
    expect(match?.breaker).toMatchObject({ breaker_state: 'closed', consecutive_failures: 0 });
  });

  test('is told at once of what comes after, and its failures are counted anew', async () => {
    expect(await countsOf(acme, await tell(acme, category))).toMatchObject({ delivered: 2 });
    bad.answers.now = 500;
    const bid_deadline = inSeconds(4);
    for (let i = 1; i < THRESHOLD; i++) await tell(acme, category, { bid_deadline });
    await purvey.services.execution.flush();
    expect(await breakers(namesOf(bad))).toMatchObject([
      { breaker_state: 'closed', consecutive_failures: THRESHOLD - 1 },
    ]);
    bad.answers.now = 200;
    await tell(globex, category);
    await purvey.services.execution.flush();
    expect(await breakers(namesOf(bad))).toMatchObject([{ consecutive_failures: 0 }]);
    bad.answers.now = 500;
    await tell(acme, category, { bid_deadline });
    expect(await breakers(namesOf(bad))).toMatchObject([{ breaker_state: 'closed' }]);
    bad.answers.now = 200;
    await pass(10);
  });
});

describe('deliveries that wait for one breaker', () => {
  test('are probed for by one of them, and by one again after a longer cooldown', async () => {
    const category = newCategory();
    const bad = await providerOf(category, 500);
    const openedMs = purvey.clock.nowMs();
    await openBreaker(acme, category);
    const waiting = [
      await tell(globex, category),
      await tell(globex, category),
      await tell(acme, category),
    ];
    bad.received.length = 0;
    await pass(COOLDOWN_S + 10);
    expect(secondsAfter(openedMs, bad.received)).toEqual([COOLDOWN_S]);
    expect(await breakers(namesOf(bad))).toMatchObject([
      { breaker_state: 'open', open_until: new Date(openedMs + 180_000).toISOString() },
    ]);
    bad.answers.now = 200;
    await pass(2 * COOLDOWN_S + 20);
    const told = secondsAfter(openedMs, bad.received.slice(1));
    expect(told).toHaveLength(waiting.length);
    expect(told.filter((second) => second < 3 * COOLDOWN_S)).toEqual([]);
    // One probe alone; the others within a few seconds of its success.
    expect(told[0]).toBe(3 * COOLDOWN_S);
    expect(Math.max(...told)).toBeLessThanOrEqual(3 * COOLDOWN_S + 5);
    for (const rfqId of waiting) {
      const buyer = rfqId === waiting[2] ? acme : globex;
      expect(await countsOf(buyer, rfqId)).toMatchObject({ delivered: 1, failed: 0, pending: 0 });
      expect(webhookIds(about(bad.received, rfqId))).toHaveLength(1);
    }
    await bad.close();
  });
});

describe('a webhook that asks for a pause', () => {
  test('is not called by any buyer until it is over, and its breaker stays closed', async () => {
    const category = newCategory();
    const times: number[] = [];
    let status = 429;
    const server = createServer((request, response) => {
      if (request.method === 'POST') times.push(purvey.clock.nowMs());
      request.resume().on('end', () => {
        response.writeHead(status, { 'retry-after': '40' }).end();
      });
    });
    await new Promise<void>((done) => server.listen(0, '127.0.0.1', done));
    const { port } = server.address() as AddressInfo;
    const provider = await readyProvider(purvey, `http://127.0.0.1:${port}`, {
      categories: [category],
    });
    const openedMs = purvey.clock.nowMs();
    const first = await tell(acme, category);
    status = 200;
    const second = await tell(globex, category);
    expect(await deliveryOf(second, provider)).toMatchObject({
      attempts: 0,
      progress: { state: 'retrying', last_failure: { reason_code: 'rate_limited' } },
    });
    await pass(39);
    expect(times).toEqual([openedMs]);
    expect(await breakers(namesOf(provider))).toMatchObject([
      { breaker_state: 'closed', not_before: new Date(openedMs + 40_000).toISOString() },
    ]);
    await pass(10);
    expect(times).toHaveLength(3);
    expect(times[1]).toBe(openedMs + 40_000);
    expect(await countsOf(acme, first)).toMatchObject({ delivered: 1 });
    expect(await countsOf(globex, second)).toMatchObject({ delivered: 1 });
    server.closeAllConnections();
    await new Promise((done) => server.close(done));
  });
});

describe('a breaker that an operator forces open', () => {
  const operate = (provider: Provider, what: 'force-open' | 'release', body?: unknown) =>
    purvey.call('POST', `/internal/v1/breakers/${keyId(keyOf(provider))}/${what}`, {
      as: 'operator',
      body,
    });

  test('holds deliveries back, of every buyer and of this provider alone; its release lets them go', async () => {
    const category = newCategory();
    const held = await providerOf(category);
    const free = await providerOf(category);
    await tell(acme, category);
    expect(held.received).toHaveLength(1);
    const forced = await operate(held, 'force-open', { reason: 'they asked', ...namesOf(held) });
    expect(forced.status).toBe(200);
    const rfqIds = [await tell(acme, category), await tell(globex, category)];
    await pass(200);
    expect(held.received).toHaveLength(1);
    expect(free.received).toHaveLength(3);
    for (const rfqId of rfqIds)
      expect(await deliveryOf(rfqId, held)).toMatchObject({
        attempts: 0,
        progress: { last_failure: { reason_code: 'circuit_open' } },
      });
    expect(await breakers({ tenant_id: '*' })).toMatchObject([
      { ...namesOf(held), forced: { reason: 'they asked' }, open_until: null },
    ]);

    expect(await operate(held, 'release')).toMatchObject({
      status: 200,
      body: { breaker_state: 'closed' },
    });
    await pass(COOLDOWN_S);
    expect(held.received).toHaveLength(3);
    for (const rfqId of rfqIds)
      expect(await deliveryOf(rfqId, held)).toMatchObject({
        attempts: 1,
        progress: { state: 'delivered' },
      });
    await held.close();
    await free.close();
  });
});

describe('a webhook that hangs', () => {
  test('is given up after ten seconds of the clock, not later, and tried again five seconds after', async () => {
    const category = newCategory();
    const silent = await providerOf(category, 'hang');
    const { rfq_id } = await openRfq(purvey, acme, { category });
    await settleInTime(purvey);
    const [webhook] = silent.received;
    if (!webhook) throw new Error('it was not called');
    expect(await attemptsOf(acme, rfq_id)).toMatchObject([
      {
        provider_name: silent.id,
        outcome: 'retry',
        reason_code: 'timeout',
        duration_ms: 10_000,
        timeout_budget_ms: 10_000,
        attempt_number: 1,
      },
    ]);
    const delivery = await deliveryOf(rfq_id, silent);
    if (delivery?.progress.state !== 'retrying') throw new Error('it is not tried again');
    const { last_failure: failure, next_attempt_at: next } = delivery.progress;
    const sentMs = Number(webhook.headers['webhook-timestamp']) * 1_000;
    const endedMs = Date.parse(failure.at);
    expect(failure.reason_code).toBe('timeout');
    // The header has whole seconds.
    expect(endedMs - sentMs).toBeGreaterThanOrEqual(10_000);
    expect(endedMs - sentMs).toBeLessThan(11_000);
    expect(Date.parse(next) - endedMs).toBe(5_000);
    silent.answers.now = 200;
    await pass(10);
    expect(await countsOf(acme, rfq_id)).toMatchObject({ delivered: 1 });
    await silent.close();
  });
});

describe('what is told of attempts', () => {
  test('is each of them, found by its RFQ, and the health of all webhooks of the buyer', async () => {
    const buyer = await readyBuyer(purvey, 'initech_travel');
    const category = newCategory();
    const provider = await providerOf(category, 502);
    const flaky = await tell(buyer, category);
    provider.answers.now = 202;
    await pass(6);
    expect(await attemptsOf(buyer, flaky)).toMatchObject([
      {
        tenant_id: buyer.slug,
        provider_name: provider.id,
        capability: 'webhook_delivery',
        operation: 'rfq.published',
        correlation_id: flaky,
        attempt_number: 2,
        outcome: 'success',
        reason_code: null,
        http_status: 202,
        task_execution_id: null,
      },
      {
        attempt_number: 1,
        outcome: 'retry',
        reason_code: 'dependency_unavailable',
        retryable: true,
        http_status: 502,
      },
    ]);
    const [id] = new Set((await attemptsOf(buyer, flaky)).map((row) => row.idempotency_key));
    expect(webhookIds(provider.received)).toEqual([id]);

    for (let i = 0; i < 7; i++) await tell(buyer, category);
    provider.answers.now = 'hang';
    const { rfq_id: hung } = await openRfq(purvey, buyer, {
      category,
      bid_deadline: inSeconds(13),
    });
    await settleInTime(purvey);
    expect(await attemptsOf(buyer, hung)).toMatchObject([
      { outcome: 'dead_letter', reason_code: 'timeout', attempt_number: 1 },
    ]);

    const { body } = await purvey.call(
      'GET',
      `/api/v1/provider-health/summary?tenant_id=${buyer.slug}`,
      { as: 'operator' },
    );
    expect(body.providers).toMatchObject([
      {
        provider_name: 'webhooks',
        capability: 'webhook_delivery',
        // Of ten attempts, one was answered 502 and one not at all.
        success_rate_1h: 0.8,
        last_error_code: 'timeout',
        quota: null,
      },
    ]);
    const [{ p95_latency_ms_1h: p95 }] = body.providers;
    expect(Math.abs(p95 - 10_000)).toBeLessThanOrEqual(200);
    await provider.close();
  });
});

describe('a delivery that succeeds', () => {
  const PROVIDERS = 150;
  /** Four documents are read, one is written; the task is one dispatch. */
  const each = { reads: 4, writes: 1, tasks: 1 };
  /** The buyer's health document is read and written, and a pack of up to a hundred attempts. */
  const flush = { reads: 1, writes: 2 };

  test('costs what it did: no read or write beyond the packed attempts, for old and new targets', async () => {
    const buyer = await readyBuyer(purvey, 'hooli_travel');
    const category = newCategory();
    const agent = await startAgent();
    await seedProviders(purvey, PROVIDERS, {
      category,
      webhookUrl: agent.url,
      isEligible: () => true,
    });
    const clients = createClients(purvey.config);
    const tasks = await clients.tasks();
    const { project, region } = purvey.config;
    const name = tasks.queuePath(project, region, 'rfq-deliveries');
    const { meter } = purvey.cloud;

    for (const rfqs of [1, 2]) {
      // The next minute's relay is no part of it.
      await purvey.clock.advance(60_000 - (purvey.clock.nowMs() % 60_000) + 1_000);
      await purvey.settle();
      await tasks.pauseQueue({ name });
      const rfqId = await tell(buyer, category);
      const { usage } = await meter.measure(async () => {
        await tasks.resumeQueue({ name });
        // The queue dispatches a hundred at once, and then so many a second.
        await pass(3);
      });
      expect(agent.received).toHaveLength(rfqs * PROVIDERS);
      expect(await countsOf(buyer, rfqId)).toMatchObject({ delivered: PROVIDERS });
      expect(usage).toMatchObject({
        reads: PROVIDERS * each.reads + flush.reads,
        writes: PROVIDERS * each.writes + flush.writes,
        deletes: 0,
        tasks: PROVIDERS * each.tasks,
        messages: 0,
        kmsOperations: 0,
      });
      const left = await meter.measure(() => purvey.services.execution.flush());
      expect(left.usage).toMatchObject({ ...flush, deletes: 0, tasks: 0, messages: 0 });
      expect(await attemptsOf(buyer, rfqId)).toHaveLength(100);
    }
    await clients.close();
    await agent.close();
  });
});

describe('a crash after any RPC that follows the webhook of a probe', () => {
  /** @returns null when everything was done after fewer RPCs */
  async function playWithCrashAfter(n: number) {
    // A dead process takes leased permits with it: each registration gets a window of its own.
    await purvey.clock.advance(3_600_000);
    await purvey.settle();
    const category = newCategory();
    const provider = await providerOf(category, 503);
    await openBreaker(acme, category);
    const rfqId = await tell(globex, category);
    await pass(COOLDOWN_S - 2);
    provider.answers.now = 200;
    const heard = provider.received.length;
    const crash = nextCrash(purvey);
    purvey.cloud.faults.inject({
      rpc: '*',
      when: () => provider.received.length > heard,
      after: n,
      action: { kind: 'crash' },
    });
    const end = await Promise.race([
      crash.then(() => 'crashed'),
      (async () => {
        await purvey.clock.advance(2_000);
        await purvey.settle();
        return 'done';
      })(),
    ]);
    if (end === 'done') {
      purvey.cloud.faults.clear();
      await provider.close();
      return null;
    }
    await restartAfterCrash(purvey);
    await passRelay(purvey);
    return { provider, rfqId, told: about(provider.received, rfqId) };
  }

  test('loses nothing, and repeats at most what was not recorded', async () => {
    let n = 0;
    for (; ; n++) {
      const played = await playWithCrashAfter(n);
      if (!played) break;
      const { provider, rfqId, told } = played;
      const at = `crash after RPC ${n}`;
      expect([1, 2], at).toContain(told.length);
      expect(webhookIds(told), at).toHaveLength(1);
      const counts = { eligible: 1, delivered: 1, failed: 0, pending: 0 };
      expect(await countsOf(globex, rfqId), at).toMatchObject(counts);
      expect(purvey.cloud.tasks.tasks(), at).toHaveLength(0);
      expect(await breakers(namesOf(provider)), at).toMatchObject([
        { breaker_state: 'closed', consecutive_failures: 0 },
      ]);
      const { store } = purvey.services;
      const match = await store.get(ref(matches, provider.id));
      const health = await store.get(ref(healthStates, keyId(keyOf(provider))));
      expect(match?.breaker?.breaker, at).toEqual(health?.breaker);
      // What the dead instance had not written is missing from the list; nothing is there twice.
      expect((await attemptsOf(globex, rfqId)).length, at).toBeLessThanOrEqual(told.length);
      expect(
        storedIn(purvey, 'dead_letters').filter(({ fields }) =>
          JSON.stringify(fields).includes(rfqId),
        ),
        at,
      ).toEqual([]);
      await provider.close();
    }
    expect(n).toBeGreaterThan(3);
  }, 180_000);
});
