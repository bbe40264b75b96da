import { afterAll, beforeAll, describe, expect, it } from 'vitest';

import { maskText } from '../../../local/inspector/masking.ts';
import {
  readyBuyer,
  readyProvider,
  rfqBody,
  startAgent,
  startTestPurvey,
} from '../../support/purvey.ts';
import type { TestPurvey } from '../../support/purvey.ts';
import { inspect, LOOKS } from './support.ts';
import { keyHash } from '../../../shared/ids.ts';

let purvey: TestPurvey;
let agent: Awaited<ReturnType<typeof startAgent>>;
const secrets: Record<string, string> = {};

beforeAll(async () => {
  purvey = await startTestPurvey();
  // Refuses, so that tasks and their payloads are still there to look at.
  agent = await startAgent(() => 503);
  const provider = await readyProvider(purvey, agent.url, { name: 'Keeper' });
  const buyer = await readyBuyer(purvey);
  await purvey.call('POST', '/v1/rfqs', { as: { org: buyer.key }, body: rfqBody(purvey) });
  await purvey.settle();
  Object.assign(secrets, {
    'operator key': purvey.operatorKey,
    'hmac key': purvey.config.hmac_key,
    'provider key': provider.key,
    'hash of the provider key': keyHash(provider.key),
    'organisation key': buyer.key,
    'hash of the organisation key': keyHash(buyer.key),
    'webhook secret': provider.webhookSecret,
    ...ciphertexts(),
  });
});
afterAll(async () => {
  await purvey.close();
  await agent.close();
});

/** What is stored encrypted: sealed secrets and the wrapped data key. */
const ciphertexts = (): Record<string, string> =>
  Object.fromEntries(
    [
      ...JSON.stringify([...purvey.cloud.firestore.snapshot().values()]).matchAll(
        /"(?:ciphertext|wrapped)":\{"valueType":"stringValue","stringValue":"([^"]+)"/g,
      ),
    ].map(([, text = ''], index) => [`ciphertext ${index}`, text]),
  );

/** Every answer there is, each document among them. */
async function everyAnswer(): Promise<string> {
  const answers: unknown[] = [];
  const look = async (path: string) => {
    const { status, body } = await inspect(purvey, 'GET', path);
    expect([path, status]).toEqual([path, 200]);
    answers.push(body);
    return body;
  };
  for (const path of LOOKS) await look(path);
  for (const { pattern } of (await look('/collections')).collections) {
    const { documents } = await look(`/documents?collection=${pattern}&page_size=200`);
    for (const { path } of documents) await look(`/document?path=${encodeURIComponent(path)}`);
  }
  return JSON.stringify(answers);
}

describe('no answer', () => {
  it('holds a secret, a ciphertext or the hash of a key', async () => {
    const text = await everyAnswer();
    expect(Object.keys(secrets)).toContain('ciphertext 1');
    for (const [name, secret] of Object.entries(secrets)) {
      expect(secret.length).toBeGreaterThan(20);
      // A part would do harm as well.
      expect({ [name]: text.includes(secret.slice(-24)) }).toEqual({ [name]: false });
    }
    expect(text).not.toMatch(/[0-9a-f]{64}/);
    expect(text).not.toMatch(/eyJ[A-Za-z0-9_-]{10,}/);
  });

  it('holds a secret that a document was given by mistake', async () => {
    const hash = 'ab'.repeat(32);
    const cases = {
      [`Authorization: Bearer abc.def-ghi`]: 'abc.def-ghi',
      [`{"nested":{"api_key":"short"}}`]: 'short',
      [`{"credential":{"type":"x","value":"hunter2"}}`]: 'hunter2',
      [`{"password":["hunter2"]}`]: 'hunter2',
      [`the digest ${hash}`]: hash,
      [`pv_org_${hash}`]: hash,
      ['-----BEGIN PRIVATE KEY-----\nMIIE\n-----END PRIVATE KEY-----']: 'MIIE',
      [Buffer.from('Some 32 bytes of key material 99').toString('base64')]: 'U29tZSAz',
    };
    for (const [text, secret] of Object.entries(cases))
      expect(maskText(text)).not.toContain(secret);
  });
});

it('what is no secret stays readable', () => {
  for (const text of [
    'prov_0123456789abcdef',
    'msg_0123456789abcdef0123456789abcdef',
    'http://functions.purvey.local/_functions/record-dead-letter?__GCP_CloudEventsMode=CE_PUBSUB_BINDING',
    'projects/purvey-local/locations/us-central1/queues/rfq-planning/tasks/rfq_0123456789abcdef-1',
    'Three nights in Lisbon for two',
    '{"secrets":2,"expires_at":"2026-01-15T10:00:00Z"}',
    '2026-01-15T10:00:00.000Z',
  ])
    expect(maskText(text)).toBe(text);
});
