import { z } from 'zod';

import type { Offer } from './agents.ts';
import { asOperator, asOrg, asProvider, caller } from './call.ts';

// Only what the story reads: fields may be added without breaking a client.
const Registered = z.object({
  provider_id: z.string(),
  api_key: z.string(),
  api_secret: z.string(),
  status: z.string(),
});
const Verified = z.object({ status: z.string() });
const Subscribed = z.object({ subscription_id: z.string(), webhook_secret: z.string() });
const Collateral = z.object({ amount: z.string(), currency: z.string() });
const Decision = z.object({
  provider_id: z.string(),
  eligible: z.boolean(),
  reasons: z.array(z.string()),
  score: z.number().nullable(),
  collateral: Collateral,
  policy_version: z.string(),
});
const Decisions = z.object({ decisions: z.array(Decision), next_cursor: z.string().nullish() });
const IssuedKey = z.object({ api_key: z.string(), scopes: z.array(z.string()) });
const Contract = z.object({
  contract_id: z.string(),
  provider_id: z.string(),
  price: z.string(),
  currency: z.string(),
});
const Rfq = z.object({
  rfq_id: z.string(),
  status: z.string(),
  bid_deadline: z.string(),
  counts: z.object({
    matched: z.number(),
    eligible: z.number(),
    delivered: z.number(),
    failed: z.number(),
    pending: z.number(),
  }),
  audit_root: z.string().nullish(),
});
const Quote = z.object({
  quote_id: z.string(),
  provider_id: z.string(),
  price: z.string(),
  currency: z.string(),
});
const Quotes = z.object({ quotes: z.array(Quote), next_cursor: z.string().nullish() });
const QuoteTaken = z.object({ quote_id: z.string(), status: z.string() });
const Awarded = z.object({ status: z.string(), contracts: z.array(Contract) });

export type Decision = z.infer<typeof Decision>;
export type Rfq = z.infer<typeof Rfq>;
export type Contract = z.infer<typeof Contract>;
export type Api = ReturnType<typeof connect>;

/** Purvey's HTTP interface as far as the story needs it, for each kind of caller. */
export function connect(url: string, operatorKey: string) {
  const operator = asOperator(operatorKey);
  const { call, pages } = caller(url);

  return {
    registerProvider: (body: object) =>
      call(Registered, { method: 'POST', path: '/v1/providers', headers: {}, body }),

    verifyProvider: (providerId: string) =>
      call(Verified, {
        method: 'POST',
        path: `/internal/v1/providers/${providerId}/verify`,
        headers: operator,
        body: { verification_type: 'identity', verified: true, notes: 'Demo' },
      }),

    recordScore: (providerId: string, score: number) =>
      call(z.unknown(), {
        method: 'POST',
        path: `/internal/v1/providers/${providerId}/scores`,
        headers: operator,
        body: { score, source: 'demo' },
      }),

    deposit: (providerId: string, amount: string, currency: string) =>
      call(z.unknown(), {
        method: 'POST',
        path: `/internal/v1/providers/${providerId}/collateral`,
        headers: operator,
        body: { kind: 'deposit', amount, currency, reference: 'demo-deposit' },
      }),

    subscribe: (key: string, providerId: string, categories: readonly string[], webhook: string) =>
      call(Subscribed, {
        method: 'POST',
        path: '/v1/subscriptions',
        headers: asProvider(key),
        body: {
          provider_id: providerId,
          categories,
          delivery: { method: 'webhook', webhook_url: webhook },
        },
      }),

    cancelSubscription: (key: string, subscriptionId: string) =>
      call(z.unknown(), {
        method: 'DELETE',
        path: `/v1/subscriptions/${subscriptionId}`,
        headers: asProvider(key),
      }),

    eligibility: (key: string, providerId: string) =>
      call(Decision, {
        method: 'GET',
        path: `/v1/providers/${providerId}/eligibility`,
        headers: asProvider(key),
      }),

    createOrg: (slug: string, name: string) =>
      call(z.unknown(), {
        method: 'POST',
        path: '/api/v1/orgs',
        headers: operator,
        body: { org_slug: slug, name, plan: 'starter' },
      }),

    issueOrgKey: (slug: string, scopes: readonly string[]) =>
      call(IssuedKey, {
        method: 'POST',
        path: `/api/v1/orgs/${slug}/keys`,
        headers: operator,
        body: { name: 'demo', scopes },
      }),

    createRfq: (key: string, body: object) =>
      call(Rfq, { method: 'POST', path: '/v1/rfqs', headers: asOrg(key), body }),

    rfq: (key: string, rfqId: string) =>
      call(Rfq, { method: 'GET', path: `/v1/rfqs/${rfqId}`, headers: asOrg(key) }),

    decisions: (key: string, rfqId: string) =>
      pages({ path: `/v1/rfqs/${rfqId}/decisions`, headers: asOrg(key) }, (page) => {
        const { decisions, next_cursor } = Decisions.parse(page);
        return { items: decisions, next: next_cursor };
      }),

    /** @param quotesUrl as the webhook gave it */
    quote: (key: string, quotesUrl: string, offer: Offer) =>
      call(QuoteTaken, { method: 'POST', path: quotesUrl, headers: asProvider(key), body: offer }),

    quotes: (key: string, rfqId: string) =>
      pages({ path: `/v1/rfqs/${rfqId}/quotes`, headers: asOrg(key) }, (page) => {
        const { quotes, next_cursor } = Quotes.parse(page);
        return { items: quotes, next: next_cursor };
      }),

    award: (key: string, rfqId: string, quoteId: string) =>
      call(Awarded, {
        method: 'POST',
        path: `/v1/rfqs/${rfqId}/award`,
        headers: asOrg(key),
        body: { quote_id: quoteId },
      }),
  };
}
