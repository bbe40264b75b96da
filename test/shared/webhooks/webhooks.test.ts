import fc from 'fast-check';
import { Webhook } from 'standardwebhooks';
import { describe, expect, it } from 'vitest';

import { rfqPublished } from '../../../shared/webhooks/rfq-published.ts';
import { WebhookSecret, newWebhookSecret } from '../../../shared/webhooks/secret.ts';
import { sign } from '../../../shared/webhooks/sign.ts';
import { isAuthentic } from '../../../shared/webhooks/verify.ts';
import { anRfq, at, cpaTerms, later } from '../examples.ts';

/** From the tests of the Standard Webhooks reference libraries. */
const vector = {
  secret: 'whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw',
  id: 'msg_p5jXN8AQM9LWM0D4loKWxJek',
  timestampS: 1_614_265_330,
  body: '{"test": 2432232314}',
  signature: 'v1,g0hM9SsE+OTPJTGt/tmIKtSyZlE3uFJELVlNIOLJ1OE=',
};

const secrets = fc.uint8Array({ minLength: 24, maxLength: 64 }).map(newWebhookSecret);

describe('signing', () => {
  it('gives the signature of the published vector', () => {
    const { id, body, secret } = vector;
    expect(sign({ id, at: new Date(vector.timestampS * 1_000), body }, [secret])).toEqual({
      'webhook-id': id,
      'webhook-timestamp': '1614265330',
      'webhook-signature': vector.signature,
    });
  });

  it('is accepted by the reference library, which signs the same', () => {
    fc.assert(
      fc.property(secrets, fc.json(), (secret, body) => {
        const now = new Date();
        const headers = sign({ id: 'msg_1', at: now, body }, [secret]);
        const reference = new Webhook(secret);
        expect(reference.sign('msg_1', now, body)).toBe(headers['webhook-signature']);
        expect(() => reference.verify(body, { ...headers })).not.toThrow();
      }),
    );
  });

  it('with two secrets is accepted by whoever knows either', () => {
    fc.assert(
      fc.property(secrets, secrets, (older, newer) => {
        const headers = sign({ id: 'msg_1', at: new Date(), body: '{}' }, [newer, older]);
        for (const known of [older, newer])
          expect(() => new Webhook(known).verify('{}', { ...headers })).not.toThrow();
      }),
      { numRuns: 20 },
    );
  });
});

describe('verifying', () => {
  const secret = newWebhookSecret(new Uint8Array(32).fill(7));
  const other = newWebhookSecret(new Uint8Array(32).fill(8));
  const headers = sign({ id: 'msg_1', at, body: '{}' }, [secret]);

  it('accepts what the reference library signed', () => {
    const signature = new Webhook(secret).sign('msg_1', at, '{}');
    expect(
      isAuthentic({ ...headers, 'webhook-signature': signature }, '{}', [other, secret], at),
    ).toBe(true);
  });

  it.each([
    [300, true],
    [-300, true],
    [301, false],
    [-301, false],
  ])('%i s after it was signed: %s', (seconds, accepted) => {
    expect(isAuthentic(headers, '{}', [secret], later(seconds))).toBe(accepted);
  });

  it.each([
    ['another body', headers, '{ }'],
    ['another id', { ...headers, 'webhook-id': 'msg_2' }, '{}'],
    ['another time', { ...headers, 'webhook-timestamp': String(at.getTime() / 1_000 + 1) }, '{}'],
    ['no time', { ...headers, 'webhook-timestamp': 'now' }, '{}'],
    ['no signature', { ...headers, 'webhook-signature': '' }, '{}'],
    ['another version', { ...headers, 'webhook-signature': 'v1a,AAAA' }, '{}'],
  ])('refuses %s', (_, changed, body) => {
    expect(isAuthentic(changed, body, [secret], at)).toBe(false);
  });

  it('refuses another secret, and none', () => {
    expect(isAuthentic(headers, '{}', [other], at)).toBe(false);
    expect(isAuthentic(headers, '{}', [], at)).toBe(false);
  });
});

describe('secrets', () => {
  it.each([23, 65])('are not made from %i bytes', (length) => {
    expect(() => newWebhookSecret(new Uint8Array(length))).toThrow(RangeError);
  });

  it('that we make are secrets that we accept', () => {
    fc.assert(
      fc.property(secrets, (secret) => {
        expect(WebhookSecret.parse(secret)).toBe(secret);
      }),
    );
  });
});

describe('rfq.published', () => {
  it('tells a provider what it needs to quote, and not who buys', () => {
    const rfq = anRfq({ cpa_terms: cpaTerms });
    const message = rfqPublished(rfq, 'https://purvey.example/v1/rfqs/1/quotes', at);
    expect(message).toMatchObject({
      type: 'rfq.published',
      timestamp: '2026-03-01T12:00:00.000Z',
      data: {
        rfq_id: rfq.rfq_id,
        category: 'travel.booking',
        description: 'Two nights in Shiraz',
        budget: { max_price: '100', currency: 'USD' },
        bid_deadline: rfq.bid_deadline,
        region: null,
        success_criteria: [],
        cpa_terms: { max_bonus: 0.05 },
        quotes_url: 'https://purvey.example/v1/rfqs/1/quotes',
      },
    });
    expect(JSON.stringify(message)).not.toContain('acme');
  });
});
