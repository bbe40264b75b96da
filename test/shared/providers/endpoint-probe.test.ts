import { describe, expect, it } from 'vitest';

import type { ProviderAnswer } from '../../../shared/execution/classify.ts';
import type { ProviderHealthState } from '../../../shared/execution/health.ts';
import type { ExecutionMetrics } from '../../../shared/execution/metrics.ts';
import type { ExecutionSettings } from '../../../shared/execution/policy.ts';
import { checkTarget } from '../../../shared/http/egress.ts';
import { EndpointProbe } from '../../../shared/providers/endpoint-probe.ts';
import type { OutboundRequest } from '../../../shared/runtime/services.ts';
import { executionSettings } from '../../../shared/runtime/settings.ts';
import { openBench } from '../execution/support/scripted.ts';

const url = 'https://agent.example.com/a2a';
const answered = (status: number): ProviderAnswer => ({
  kind: 'response',
  status,
  headers: {},
  body: '',
});

/** A probe by the configuration of the product, where the network is `answer`. */
function open(
  answer: (request: OutboundRequest) => ProviderAnswer | Promise<ProviderAnswer>,
  settings: ExecutionSettings = executionSettings(),
) {
  const bench = openBench(settings);
  const execution = bench.instance();
  const requests: OutboundRequest[] = [];
  const outbound = {
    request: async (request: OutboundRequest) => {
      requests.push(request);
      return answer(request);
    },
  };
  const now = () => new Date(bench.clock.nowMs());
  const probeOf = (providerId: string) =>
    new EndpointProbe(providerId, { execution, outbound, now });
  return { bench, execution, requests, probeOf, probe: probeOf('prov_1') };
}

describe('an endpoint', () => {
  it.each([200, 204, 301, 308, 400, 401, 404, 405, 418, 429, 499])(
    'that answers %i answers',
    async (status) => {
      const { probe } = open(() => answered(status));
      expect(await probe.probe(url)).toMatchObject({ status: 'succeeded', value: status });
    },
  );

  it.each([
    [500, 'dependency_unavailable'],
    [501, 'bad_request'],
    [502, 'dependency_unavailable'],
    [503, 'dependency_unavailable'],
    [504, 'timeout'],
    [599, 'dependency_unavailable'],
  ])('that answers %i does not, and that is told', async (status, reasonCode) => {
    const { probe } = open(() => answered(status));
    expect(await probe.probe(url)).toMatchObject({
      status: 'failed',
      failure: { reasonCode, httpStatus: status, message: `it answered ${status}` },
    });
  });

  it.each([
    ['timeout', 'timeout', 'it did not answer in time'],
    ['connection_error', 'connection_error', 'no connection could be made'],
  ] as const)('that comes to %s does not answer', async (reason, reasonCode, message) => {
    const { probe } = open(() => ({ kind: 'failed', reason }));
    expect(await probe.probe(url)).toMatchObject({
      status: 'failed',
      failure: { reasonCode, httpStatus: null, message },
    });
  });

  it('that our policy forbids is told why, and nothing of the rest of its URL', async () => {
    const secret = 'https://user:s3cr3t@agent.example.com/';
    const { probe } = open((request) => {
      const checked = checkTarget(request.url, false);
      if (!('reason' in checked)) throw new Error('it is not forbidden');
      return { kind: 'forbidden', reason: checked.reason };
    });
    const result = await probe.probe(secret);
    expect(result).toMatchObject({
      status: 'failed',
      failure: { reasonCode: 'bad_request', message: 'the URL must not hold credentials' },
    });
    expect(JSON.stringify(result)).not.toContain('s3cr3t');
  });
});

describe('a probe', () => {
  it('is one GET within the three seconds of the configuration, and no byte of an answer', async () => {
    const { probe, requests } = open(() => answered(200));
    await probe.probe(url);
    expect(probe.budgetS).toBe(3);
    expect(requests).toEqual([
      {
        url,
        method: 'GET',
        timeoutMs: 3_000,
        signal: expect.any(AbortSignal),
        responseBytesMax: 0,
      },
    ]);
  });

  it('takes its time from the configuration', async () => {
    const settings = executionSettings();
    const { endpoint_probe: given, ...others } = settings.capabilities;
    if (!given) throw new Error('no probe is configured');
    const capabilities = { ...others, endpoint_probe: { ...given, timeout_budget_s: 0.5 } };
    const { probe, requests } = open(() => answered(200), { ...settings, capabilities });
    expect(probe.budgetS).toBe(0.5);
    await probe.probe(url);
    expect(requests[0]?.timeoutMs).toBe(500);
  });

  it('is given up after three seconds, and not repeated', async () => {
    const { probe, requests, bench } = open(() => new Promise(() => undefined));
    const running = probe.probe(url);
    await bench.clock.advance(2_999);
    expect(requests[0]?.signal?.aborted).toBe(false);
    await bench.clock.advance(1);
    expect(requests[0]?.signal?.aborted).toBe(true);
    expect(await running).toMatchObject({
      status: 'failed',
      failure: { reasonCode: 'timeout' },
      retryAt: null,
      attempts: [{ durationMs: 3_000 }],
    });
    await bench.clock.advance(60_000);
    expect(requests).toHaveLength(1);
  });

  it('has nothing in its way: it is how we learn that an endpoint is back', async () => {
    let status = 503;
    const { probe, requests } = open(() => answered(status));
    for (let i = 0; i < 20; i++) expect(await probe.probe(url)).toMatchObject({ status: 'failed' });
    expect(requests).toHaveLength(20);
    status = 200;
    expect(await probe.probe(url)).toMatchObject({ status: 'succeeded' });
  });

  it('that succeeds reads and writes nothing, whosever endpoint it is', async () => {
    const { probeOf, bench } = open(() => answered(200));
    for (const id of ['prov_1', 'prov_2', 'prov_3'])
      expect(await bench.store.cost(() => probeOf(id).probe(url))).toEqual({ reads: 0, writes: 0 });
  });

  it("is counted as the platform's, for all endpoints together, and listed under its provider", async () => {
    const { probeOf, bench, execution } = open(({ url: asked }) =>
      answered(asked === url ? 200 : 500),
    );
    await probeOf('prov_1').probe(url);
    await probeOf('prov_2').probe('https://broken.example.com/');
    await execution.flush();
    expect(bench.store.all<ProviderHealthState>('provider_health_states')).toMatchObject([
      {
        tenant_id: 'platform',
        provider_name: 'endpoints',
        capability: 'endpoint_probe',
        success_rate_1h: 0.5,
      },
    ]);
    const rows = bench.store
      .all<ExecutionMetrics>('provider_execution_metrics')
      .flatMap((doc) => doc.rows);
    expect(
      rows.map(({ provider_name, operation, outcome, http_status }) => [
        provider_name,
        operation,
        outcome,
        http_status,
      ]),
    ).toEqual(
      expect.arrayContaining([
        ['prov_1', 'probe', 'success', 200],
        ['prov_2', 'probe', 'failed', 500],
      ]),
    );
  });
});
