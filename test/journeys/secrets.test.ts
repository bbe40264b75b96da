import { randomBytes } from 'node:crypto';
import { mkdtemp, readFile, readdir, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, test, vi } from 'vitest';

import { newWebhookSecret } from '../../shared/webhooks/secret.ts';
import {
  type ReadyProvider,
  type TestPurvey,
  readyBuyer,
  readyProvider,
  startAgent,
  startTestPurvey,
} from '../support/purvey.ts';
import { openRfq, withFault } from './support.ts';

/** What may be nowhere, by what it is. */
const secrets = new Map<string, string>();
/** Every RPC with all that it carried: documents written, tasks created, messages published. */
const calls: string[] = [];

let folder: string;
let logFile: string;
let purvey: TestPurvey;
let agent: Awaited<ReturnType<typeof startAgent>>;
let provider: ReadyProvider;

/** A request as text, with bytes as the text they hold. */
const textOfRequest = (request: unknown): string =>
  JSON.stringify(request, function (key, value: unknown) {
    const bytes: unknown = this[key];
    return bytes instanceof Uint8Array ? Buffer.from(bytes).toString('latin1') : value;
  });

beforeAll(async () => {
  folder = await mkdtemp(join(tmpdir(), 'purvey-secrets-'));
  logFile = join(folder, 'purvey.log');
  purvey = await startTestPurvey({
    file: join(folder, 'cloud.db'),
    env: { PURVEY_LOG_LEVEL: 'debug', PURVEY_LOG_FILE: logFile },
  });
  purvey.cloud.faults.inject({
    rpc: '*',
    when: (request) => {
      calls.push(textOfRequest(request));
      return false;
    },
    action: { kind: 'hang' },
  });
  agent = await startAgent((_, nth) => (nth === 1 ? 500 : 200));
  await playStory();
  await playMishaps();
  await purvey.settle();
});
afterAll(async () => {
  await agent.close();
  await rm(folder, { recursive: true, force: true });
});

/** From the registration to the award, with a webhook that fails once. */
async function playStory(): Promise<void> {
  secrets.set('operator key', purvey.operatorKey);
  const headers = { 'idempotency-key': 'registration' };
  const registration = { body: { name: 'Registered by hand', endpoint: agent.url }, headers };
  const { body: registered } = await purvey.call('POST', '/v1/providers', registration);
  secrets.set('API key', registered.api_key);
  secrets.set('API secret', registered.api_secret);
  await purvey.call('POST', '/v1/providers', registration);

  const given = newWebhookSecret(randomBytes(32));
  secrets.set('given webhook secret', given);
  await purvey.call('POST', '/v1/subscriptions', {
    as: { provider: registered.api_key },
    headers: { 'idempotency-key': 'subscription' },
    body: {
      provider_id: registered.provider_id,
      categories: ['travel.*'],
      delivery: { webhook_url: `${agent.url}/given`, webhook_secret: given },
    },
  });

  provider = await readyProvider(purvey, agent.url);
  secrets.set('API key of a ready provider', provider.key);
  secrets.set('generated webhook secret', provider.webhookSecret);
  const buyer = await readyBuyer(purvey);
  secrets.set('organisation key', buyer.key);

  const { rfq_id } = await openRfq(purvey, buyer, {}, { 'idempotency-key': 'rfq' });
  await purvey.settle();
  await purvey.clock.advance(5_000);
  await purvey.settle();
  const quote = await purvey.call('POST', `/v1/rfqs/${rfq_id}/quotes`, {
    as: { provider: provider.key },
    body: { price: '80', currency: 'USD', confidence: 1 },
  });
  const award = await purvey.call('POST', `/v1/rfqs/${rfq_id}/award`, {
    as: { org: buyer.key },
    body: { quote_id: quote.body.quote_id },
  });
  expect(award.status).toBe(200);
}

/** Secrets in places where they do not belong, and failures on the way. */
async function playMishaps(): Promise<void> {
  const { key, id } = provider;
  const statuses = [
    await purvey.call('GET', `/v1/providers/${id}?api_key=${key}`),
    await purvey.call('POST', '/v1/providers', { body: `{"name": "${key}", ` }),
    await purvey.call('POST', '/v1/subscriptions', {
      as: { provider: key },
      body: { provider_id: id, categories: [provider.webhookSecret] },
    }),
    await purvey.call('GET', '/v1/rfqs', { as: { org: key } }),
    await withFault(
      purvey,
      { rpc: 'Commit', times: 20, action: { kind: 'fail', code: 'INVALID_ARGUMENT' } },
      () =>
        purvey.call('POST', '/v1/subscriptions', {
          as: { provider: key },
          body: {
            provider_id: id,
            categories: ['legal/*'],
            delivery: { webhook_url: agent.url, webhook_secret: provider.webhookSecret },
          },
        }),
    ),
  ].map(({ status }) => status);
  expect(statuses.filter((status) => status >= 400).length).toBeGreaterThanOrEqual(4);
}

/** The names of the secrets that a text holds, also without their prefixes. */
const secretsIn = (text: string): string[] =>
  [...secrets].flatMap(([name, secret]) => {
    const bare = secret.replace(/^(aex_[ps]k_live_|pv_org_|pv_op_|whsec_)/, '');
    return text.includes(bare) ? [name] : [];
  });

describe('no key and no secret in plain text', () => {
  test('is in any stored document', () => {
    const documents = [...purvey.cloud.firestore.snapshot().values()];
    const collections = new Set(documents.map(({ collection }) => collection.split('/').at(-1)));
    expect(collections).toContain('subscriptions');
    expect(collections).toContain('commands');
    expect(collections).toContain('idempotency');
    expect(documents.flatMap((document) => secretsIn(textOfRequest(document)))).toEqual([]);
  });

  test('was ever in a write, a task, a message or any other call', () => {
    expect(calls.some((text) => text.includes('/queues/rfq-deliveries'))).toBe(true);
    expect(calls.some((text) => text.includes('rfq.published'))).toBe(true);
    expect(calls.some((text) => text.includes('/documents/outbox/'))).toBe(true);
    expect(calls.flatMap(secretsIn)).toEqual([]);
  });

  test('was in a webhook', () => {
    const told = agent.received.map((received) => JSON.stringify(received));
    expect(told.length).toBeGreaterThan(0);
    expect(told.flatMap(secretsIn)).toEqual([]);
  });

  test('is in the log, whatever went wrong', async () => {
    const log = await vi.waitFor(async () => {
      const text = await readFile(logFile, 'utf8');
      expect(text).toContain('POST /v1/subscriptions 5');
      return text;
    });
    expect(log).toContain('delivery failed');
    expect(secretsIn(log)).toEqual([]);
  });

  test('is in the installation’s files, but for the operator key that belongs to it', async () => {
    await purvey.close();
    const names = await readdir(folder);
    const files = await Promise.all(names.map((name) => readFile(join(folder, name), 'latin1')));
    expect(new Set(files.flatMap(secretsIn))).toEqual(new Set(['operator key']));
  });
});
