import { createServer, type IncomingMessage } from 'node:http';
import type { AddressInfo } from 'node:net';
import { randomUUID } from 'node:crypto';

import { ManualClock } from '../../local/kernel/clock.ts';
import { type Purvey, type PurveyOptions, startPurvey } from '../../local/purvey.ts';

export interface Reply {
  readonly status: number;
  readonly headers: Headers;
  // Tests look into answers of many shapes; what they expect is what they check.
  // oxlint-disable-next-line typescript/no-explicit-any
  readonly body: any;
}

export type Credentials =
  | 'operator'
  | { readonly provider: string }
  | { readonly org: string }
  | { readonly service: string; readonly of: string }
  | undefined;

export interface TestPurvey extends Purvey {
  readonly clock: ManualClock;
  /** Calls the API; a body that is a string is sent as it is. */
  call(
    method: string,
    path: string,
    options?: { body?: unknown; as?: Credentials; headers?: Record<string, string> },
  ): Promise<Reply>;
  /** Lets everything that is due by the clock happen: tasks, pushes, and what they cause. */
  settle(): Promise<void>;
}

/** An installation on a clock that stands still, in memory unless a file is given. */
export async function startTestPurvey(options: Partial<PurveyOptions> = {}): Promise<TestPurvey> {
  const clock = (options.clock as ManualClock | undefined) ?? new ManualClock();
  const purvey = await startPurvey({
    port: 0,
    clock,
    ...options,
    env: { ALLOW_INSECURE_ENDPOINTS: 'true', PURVEY_LOG_LEVEL: 'silent', ...options.env },
  });
  return Object.assign(purvey, {
    clock,
    call: async (
      method: string,
      path: string,
      {
        body,
        as,
        headers = {},
      }: { body?: unknown; as?: Credentials; headers?: Record<string, string> } = {},
    ): Promise<Reply> => {
      const response = await fetch(purvey.url + path, {
        method,
        headers: {
          ...(body !== undefined && { 'content-type': 'application/json' }),
          ...(await proofOf(purvey, as)),
          ...headers,
        },
        ...(body !== undefined && { body: typeof body === 'string' ? body : JSON.stringify(body) }),
      });
      const text = await response.text();
      return {
        status: response.status,
        headers: response.headers,
        body: text === '' ? undefined : JSON.parse(text),
      };
    },
    settle: () => purvey.cloud.idle(),
  });
}

async function proofOf(purvey: Purvey, as: Credentials): Promise<Record<string, string>> {
  if (as === undefined) return {};
  if (as === 'operator') return { 'x-operator-key': purvey.operatorKey };
  if ('provider' in as) return { authorization: `Bearer ${as.provider}` };
  if ('org' in as) return { 'x-api-key': as.org };
  const audience = purvey.config.function_url.replace('{name}', as.of);
  const email = `${as.service}@${purvey.config.project}.iam.gserviceaccount.com`;
  return { authorization: `Bearer ${await purvey.cloud.identity.tokenFor({ email, audience })}` };
}

export interface Received {
  readonly path: string;
  readonly headers: IncomingMessage['headers'];
  readonly body: string;
}

/** A provider's web server: answers 200, or what `answer` says, and keeps what it was sent by POST. */
export async function startAgent(
  answer: (request: Received, nth: number) => number | 'hang' = () => 200,
): Promise<{ url: string; received: Received[]; close: () => Promise<void> }> {
  const received: Received[] = [];
  const server = createServer((req, res) => {
    const chunks: Buffer[] = [];
    req.on('data', (chunk: Buffer) => chunks.push(chunk));
    req.on('end', () => {
      if (req.method !== 'POST') return void res.end('{}');
      const request = {
        path: req.url ?? '/',
        headers: req.headers,
        body: Buffer.concat(chunks).toString('utf8'),
      };
      received.push(request);
      const status = answer(request, received.length);
      if (status !== 'hang') res.writeHead(status).end();
    });
  });
  await new Promise<void>((done) => server.listen(0, '127.0.0.1', done));
  return {
    url: `http://127.0.0.1:${(server.address() as AddressInfo).port}`,
    received,
    close: () =>
      new Promise((done) => {
        server.close(() => done());
        server.closeAllConnections();
      }),
  };
}

export interface ReadyProvider {
  readonly id: string;
  readonly key: string;
  readonly subscriptionId: string;
  readonly webhookSecret: string;
}

/** Registers, verifies, subscribes, scores and funds a provider: one that is told of RFQs, by default. */
export async function readyProvider(
  purvey: Pick<TestPurvey, 'call'>,
  agentUrl: string,
  given: {
    name?: string;
    categories?: string[];
    score?: number;
    collateral?: string;
    verified?: boolean;
    path?: string;
  } = {},
): Promise<ReadyProvider> {
  const registered = await expectOk(
    purvey.call('POST', '/v1/providers', {
      body: { name: given.name ?? `Provider ${randomUUID()}`, endpoint: agentUrl },
    }),
  );
  const { provider_id: id, api_key: key } = registered;
  const internal = `/internal/v1/providers/${id}`;
  if (given.verified !== false)
    await expectOk(
      purvey.call('POST', `${internal}/verify`, {
        as: 'operator',
        body: { verification_type: 'identity', verified: true },
      }),
    );
  const subscription = await expectOk(
    purvey.call('POST', '/v1/subscriptions', {
      as: { provider: key },
      body: {
        provider_id: id,
        categories: given.categories ?? ['travel.*'],
        delivery: { method: 'webhook', webhook_url: `${agentUrl}${given.path ?? '/work'}` },
      },
    }),
  );
  await expectOk(
    purvey.call('POST', `${internal}/scores`, {
      as: 'operator',
      body: { score: given.score ?? 88.5, source: 'operator' },
    }),
  );
  if (given.collateral !== '0')
    await expectOk(
      purvey.call('POST', `${internal}/collateral`, {
        as: 'operator',
        body: {
          kind: 'deposit',
          amount: given.collateral ?? '250000000',
          currency: 'IRR',
          reference: 'test',
        },
      }),
    );
  return {
    id,
    key,
    subscriptionId: subscription.subscription_id,
    webhookSecret: subscription.webhook_secret,
  };
}

/** An organisation with a key that may do everything with RFQs. */
export async function readyBuyer(
  purvey: Pick<TestPurvey, 'call'>,
  slug = 'acme_travel',
): Promise<{ slug: string; key: string }> {
  await expectOk(
    purvey.call('POST', '/api/v1/orgs', { as: 'operator', body: { org_slug: slug, name: slug } }),
  );
  const issued = await expectOk(
    purvey.call('POST', `/api/v1/orgs/${slug}/keys`, {
      as: 'operator',
      body: { name: 'buying', scopes: ['rfqs:read', 'rfqs:write'] },
    }),
  );
  return { slug, key: issued.api_key };
}

/** A valid RFQ whose deadline lies an hour ahead of the installation's clock. */
export const rfqBody = (
  purvey: { readonly clock: Pick<ManualClock, 'nowMs'> },
  given: Record<string, unknown> = {},
) => ({
  category: 'travel.booking',
  description: 'Three nights in Lisbon for two',
  budget: { max_price: '500', currency: 'USD' },
  bid_deadline: new Date(purvey.clock.nowMs() + 3_600_000).toISOString(),
  ...given,
});

async function expectOk(reply: Promise<Reply>): Promise<Reply['body']> {
  const { status, body } = await reply;
  if (status >= 300) throw new Error(`set-up call answered ${status}: ${JSON.stringify(body)}`);
  return body;
}
