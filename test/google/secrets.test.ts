import { mkdtempSync, readFileSync, readdirSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { describe, expect, it, onTestFinished } from 'vitest';

import { startAgent, startTestPurvey } from '../support/purvey.ts';

const GIVEN_SECRET = 'whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw';

/** Every file of a folder, as one text. */
const bytesIn = (folder: string): string =>
  readdirSync(folder)
    .map((name) => readFileSync(join(folder, name), 'latin1'))
    .join('\n');

describe('a secret', () => {
  it('is in no document, record, message, task or log line of an installation', async () => {
    const folder = mkdtempSync(join(tmpdir(), 'purvey-secrets-'));
    onTestFinished(() => rmSync(folder, { recursive: true }));
    const purvey = await startTestPurvey({
      file: join(folder, 'cloud.sqlite'),
      env: { PURVEY_LOG_LEVEL: 'debug', PURVEY_LOG_FILE: join(folder, 'purvey.log') },
    });
    const agent = await startAgent();
    let nth = 0;
    const post = async (path: string, body: unknown, as?: Parameters<typeof purvey.call>[2]) => {
      const headers = { 'idempotency-key': `secret-${++nth}` };
      const reply = await purvey.call('POST', path, { body, headers, ...as });
      expect(reply.status).toBeLessThan(300);
      return reply.body;
    };

    const registered = await post('/v1/providers', {
      name: 'Findable Provider',
      endpoint: agent.url,
    });
    const provider = { as: { provider: registered.api_key } };
    const subscribe = (delivery: object) =>
      post(
        '/v1/subscriptions',
        {
          provider_id: registered.provider_id,
          categories: ['travel.*'],
          delivery: { method: 'webhook', webhook_url: `${agent.url}/work`, ...delivery },
        },
        provider,
      );
    const made = await subscribe({});
    await subscribe({ webhook_secret: GIVEN_SECRET });
    const operator = { as: 'operator' as const };
    await post('/api/v1/orgs', { org_slug: 'acme', name: 'Acme' }, operator);
    const body = { name: 'buying', scopes: ['rfqs:read'] };
    const issued = await post('/api/v1/orgs/acme/keys', body, operator);
    await purvey.call('GET', '/v1/rfqs', { as: { org: issued.api_key } });
    await purvey.clock.advance(120_000);
    await purvey.settle();
    await purvey.close();
    await agent.close();

    const bytes = bytesIn(folder);
    expect(bytes).toContain('Findable Provider');
    expect(bytes).toContain('/v1/subscriptions');
    const secrets: string[] = [
      registered.api_key,
      registered.api_secret,
      made.webhook_secret,
      GIVEN_SECRET,
      issued.api_key,
    ];
    for (const secret of secrets) {
      expect(secret).toMatch(/^(aex_[ps]k_live_|whsec_|pv_org_)/);
      const bare = secret.replace(/^(aex_[ps]k_live_|whsec_|pv_org_)/, '');
      for (const text of [bare, Buffer.from(secret).toString('base64').slice(0, 32)])
        expect(bytes.includes(text)).toBe(false);
    }
  });
});
