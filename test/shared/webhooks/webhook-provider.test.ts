import { describe, expect, it } from 'vitest';

import type { ProviderAnswer } from '../../../shared/execution/classify.ts';
import type { ExecutionMetrics } from '../../../shared/execution/metrics.ts';
import { executionSettings } from '../../../shared/runtime/settings.ts';
import { checkTarget } from '../../../shared/http/egress.ts';
import type { OutboundRequest } from '../../../shared/runtime/services.ts';
import {
  type SignedWebhook,
  WebhookProvider,
  webhookError,
} from '../../../shared/webhooks/webhook-provider.ts';
import { breakerHome } from '../../../shared/matching/breaker-home.ts';
import { aMatch, at } from '../examples.ts';
import { openBench } from '../execution/support/scripted.ts';

const answered = (status: number, headers: Record<string, string> = {}): ProviderAnswer => ({
  kind: 'response',
  status,
  headers,
  body: '',
});
const failed = (reason: 'timeout' | 'connection_error' | 'response_too_large'): ProviderAnswer => ({
  kind: 'failed',
  reason,
});
const errorOf = (answer: ProviderAnswer) => {
  const error = webhookError(answer, at);
  if (!error) throw new Error('it was taken for a delivery');
  return error;
};

describe('what a webhook answered', () => {
  it.each([200, 201, 202, 204, 226, 299])('is a delivery: %i', (status) => {
    expect(webhookError(answered(status), at)).toBeNull();
  });

  it.each([
    [301, 'bad_request'],
    [302, 'bad_request'],
    [304, 'bad_request'],
    [400, 'bad_request'],
    [401, 'auth_failed'],
    [402, 'quota_exhausted'],
    [403, 'auth_failed'],
    [404, 'bad_request'],
    [408, 'timeout'],
    [409, 'bad_request'],
    [413, 'bad_request'],
    [422, 'bad_request'],
    [425, 'dependency_unavailable'],
    [429, 'rate_limited'],
    [500, 'dependency_unavailable'],
    [501, 'bad_request'],
    [502, 'dependency_unavailable'],
    [503, 'dependency_unavailable'],
    [504, 'timeout'],
    [599, 'dependency_unavailable'],
    [600, 'response_invalid'],
    [199, 'response_invalid'],
  ])('%i is %s, and worth another attempt', (status, reasonCode) => {
    expect(errorOf(answered(status))).toMatchObject({
      reasonCode,
      retryable: true,
      httpStatus: status,
      retryAfterMs: null,
      message: `the webhook answered ${status}`,
    });
  });

  it('410 means never again', () => {
    expect(errorOf(answered(410, { 'retry-after': '5' }))).toMatchObject({
      reasonCode: 'bad_request',
      retryable: false,
      httpStatus: 410,
    });
  });

  it.each([
    [429, '7', 7_000],
    [429, 'Sun, 01 Mar 2026 12:01:30 GMT', 90_000],
    [429, 'soon', null],
    [429, '-1', null],
    [503, '120', 120_000],
    [400, '3', 3_000],
  ])('%i with Retry-After %s asks for a pause of %s ms', (status, retryAfter, retryAfterMs) => {
    expect(errorOf(answered(status, { 'Retry-After': retryAfter })).retryAfterMs).toBe(
      retryAfterMs,
    );
  });

  it.each([
    ['timeout', 'timeout', 'the webhook did not answer in time'],
    ['connection_error', 'connection_error', 'no connection to the webhook could be made'],
    ['response_too_large', 'response_invalid', 'the webhook answered with more than it may'],
  ] as const)('never came (%s): %s, and worth another attempt', (reason, reasonCode, message) => {
    expect(errorOf(failed(reason))).toMatchObject({
      reasonCode,
      message,
      retryable: true,
      httpStatus: null,
      retryAfterMs: null,
    });
  });

  it('cannot come from a target that our own policy forbids: it stays forbidden', () => {
    expect(
      errorOf({ kind: 'forbidden', reason: 'resolves to an address that is not public' }),
    ).toMatchObject({
      reasonCode: 'bad_request',
      retryable: false,
      httpStatus: null,
      message: 'the webhook URL resolves to an address that is not public',
    });
  });
});

const SECRET = 's3cr3t';
const webhook: SignedWebhook = {
  url: `https://hooks.example.com/${SECRET}/work?token=${SECRET}#${SECRET}`,
  headers: { 'webhook-id': 'msg_1', 'webhook-signature': `v1,${SECRET}` },
  body: JSON.stringify({ type: 'rfq.published', note: SECRET }),
};

/** A webhook of `prov_1` by the configuration of the product, where the network is `answer`. */
function open(answer: (request: OutboundRequest) => ProviderAnswer | Promise<ProviderAnswer>) {
  const bench = openBench(executionSettings());
  const execution = bench.instance();
  const requests: OutboundRequest[] = [];
  const outbound = {
    request: async (request: OutboundRequest) => {
      requests.push(request);
      return answer(request);
    },
  };
  const now = () => new Date(bench.clock.nowMs());
  const provider = new WebhookProvider('prov_1', { execution, outbound, now });
  return {
    bench,
    requests,
    execution,
    execute: () =>
      provider.execute({
        tenantId: 'acme',
        campaignId: 'rfq_1',
        operation: 'rfq.published',
        payload: webhook,
        context: {
          correlationId: 'rfq_1',
          idempotencyKey: 'msg_1',
          deadLetters: true,
          breakerHome: breakerHome(aMatch({ provider_id: 'prov_1' })),
        },
      }),
  };
}

describe('a webhook that is sent', () => {
  it('is one POST of what was signed, with the ten seconds of its budget and no byte of an answer', async () => {
    const { execute, requests } = open(() => answered(204));
    expect(await execute()).toMatchObject({
      status: 'succeeded',
      value: 204,
      correlationId: 'rfq_1',
      idempotencyKey: 'msg_1',
    });
    expect(requests).toEqual([
      {
        url: webhook.url,
        method: 'POST',
        headers: { 'content-type': 'application/json', ...webhook.headers },
        body: webhook.body,
        timeoutMs: 10_000,
        signal: expect.any(AbortSignal),
        responseBytesMax: 0,
      },
    ]);
  });

  it('is listed with the status that it was answered, and counted for all webhooks of the buyer', async () => {
    const { execute, bench, execution } = open(() => answered(202));
    await execute();
    await execution.flush();
    expect(bench.store.all<ExecutionMetrics>('provider_execution_metrics')).toMatchObject([
      {
        tenant_id: 'acme',
        capability: 'webhook_delivery',
        rows: [{ provider_name: 'prov_1', http_status: 202, outcome: 'success' }],
      },
    ]);
    expect(bench.store.all('provider_health_states')).toMatchObject([
      { tenant_id: 'acme', provider_name: 'webhooks', capability: 'webhook_delivery' },
    ]);
  });

  it('is given up after ten seconds, by its signal too', async () => {
    const { execute, requests, bench } = open(() => new Promise(() => undefined));
    const running = execute();
    await bench.clock.advance(9_999);
    expect(requests[0]?.signal?.aborted).toBe(false);
    await bench.clock.advance(1);
    expect(requests[0]?.signal?.reason).toMatchObject({ name: 'TimeoutError' });
    expect(await running).toMatchObject({
      status: 'failed',
      failure: { reasonCode: 'timeout' },
      retryAt: new Date(bench.clock.nowMs() + 5_000),
      attempts: [{ durationMs: 10_000, outcome: 'retry' }],
    });
  });

  it('is sent once: the next attempt is its task’s', async () => {
    const { execute, requests, bench } = open(() => answered(503));
    expect(await execute()).toMatchObject({
      status: 'failed',
      retryAt: new Date(bench.clock.nowMs() + 5_000),
    });
    await bench.clock.advance(60_000);
    expect(requests).toHaveLength(1);
  });

  it.each([
    ['fails', () => answered(500)],
    ['is refused', () => answered(401)],
    ['is gone', () => answered(410)],
    ['does not connect', () => failed('connection_error')],
    ['is late', () => failed('timeout')],
    ['says too much', () => failed('response_too_large')],
    ['is forbidden', () => ({ kind: 'forbidden', ...reasonFor(`http://x:${SECRET}@a.com/`) })],
    [
      'finds the way out broken',
      () => {
        throw new TypeError(`cannot reach ${webhook.url}`);
      },
    ],
  ] as const)('and %s tells nothing of its URL, headers or body', async (_, answer) => {
    const { execute, bench, execution } = open(answer as () => ProviderAnswer);
    const result = await execute();
    await execution.flush();
    expect(result.status).toBe('failed');
    expect(JSON.stringify(result)).not.toContain(SECRET);
    expect(JSON.stringify([...bench.store.docs])).not.toContain(SECRET);
    expect(JSON.stringify(bench.events)).not.toContain(SECRET);
  });
});

/** What our policy says of a URL with something to hide. */
function reasonFor(url: string): { reason: string } {
  const checked = checkTarget(url, true);
  if (!('reason' in checked)) throw new Error(`${url} is not forbidden`);
  return checked;
}
