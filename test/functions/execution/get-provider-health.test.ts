import { afterAll, beforeAll, describe, expect, test } from 'vitest';

import { healthStates, newHealthState } from '../../../shared/execution/health.ts';
import { type ExecutionKey, keyId } from '../../../shared/execution/key.ts';
import { type QuotaState, quotaStates } from '../../../shared/execution/quota.ts';
import { ref } from '../../../shared/store/collection.ts';
import { type Write, set } from '../../../shared/store/decision.ts';
import { type TestPurvey, startTestPurvey } from '../../support/purvey.ts';
import { changesNothing, isoAfter, ok, refused, refusesQueries } from '../support.ts';

const path = '/api/v1/provider-health/summary';
const DAY = 86_400_000;

let purvey: TestPurvey;
/** Keys by organisation, with the scope that it takes. */
const keys: Record<string, string> = {};

async function newOrg(slug: string): Promise<void> {
  await ok(
    purvey.call('POST', '/api/v1/orgs', { as: 'operator', body: { org_slug: slug, name: slug } }),
  );
  const { api_key } = await ok(
    purvey.call('POST', `/api/v1/orgs/${slug}/keys`, {
      as: 'operator',
      body: { name: 'healthy', scopes: ['health:read'] },
    }),
  );
  keys[slug] = api_key;
}

const healthOf = (key: ExecutionKey): Write =>
  set(ref(healthStates, keyId(key)), {
    ...newHealthState(key, new Date(purvey.clock.nowMs())),
    last_success_at: isoAfter(purvey, 0),
  });

/** A quota whose day begins at `startMs` from now, half of it used. */
function quotaOf(key: ExecutionKey, startMs = 0): Write {
  const columns = {
    window_start: isoAfter(purvey, startMs),
    window_end: isoAfter(purvey, startMs + DAY),
    limit_count: 100,
    used_count: 50,
    remaining_count: 50,
    last_exhausted_at: null,
  };
  const id = `qta_${keyId(key)}_${startMs}`;
  const row: QuotaState = {
    id,
    tenant_id: key.tenantId,
    provider_name: key.providerName,
    capability: key.capability,
    ...columns,
    updated_at: isoAfter(purvey, startMs),
    windows: [{ window: 'day', ...columns }],
    holders: {},
    holders_seen: 0,
    holders_before: 0,
    expire_at: new Date(purvey.clock.nowMs() + 40 * DAY),
  };
  return set(ref(quotaStates, id), row);
}

const keyOf = (tenantId: string, n: number): ExecutionKey => ({
  tenantId,
  providerName: `provider_${String(n).padStart(4, '0')}`,
  capability: 'usage_extract',
});
const range = (length: number) => Array.from({ length }, (_, i) => i);

/** In commits that are not too large. */
async function store(writes: readonly Write[]): Promise<void> {
  for (let from = 0; from < writes.length; from += 400)
    await purvey.services.store.write(writes.slice(from, from + 400));
}

const summaryFor = (tenantId: string) =>
  ok(purvey.call('GET', `${path}?tenant_id=${encodeURIComponent(tenantId)}`, { as: 'operator' }));

beforeAll(async () => {
  purvey = await startTestPurvey();
  await newOrg('acme');
  await newOrg('other');
  await store(
    ['acme', 'other', '*', 'platform'].flatMap((tenant) =>
      range(tenant === 'acme' ? 3 : 1).flatMap((n) => [
        healthOf(keyOf(tenant, n)),
        quotaOf(keyOf(tenant, n)),
        // Yesterday's, which says nothing any more.
        quotaOf(keyOf(tenant, n), -DAY),
      ]),
    ),
  );
});
afterAll(() => purvey.close());

describe('the provider health summary', () => {
  test('shows the operator the providers of any tenant, and of all tenants together', async () => {
    expect(await summaryFor('acme')).toEqual({
      tenant_id: 'acme',
      generated_at: isoAfter(purvey, 0),
      providers: range(3).map((n) => ({
        provider_name: `provider_000${n}`,
        capability: 'usage_extract',
        breaker_state: 'closed',
        success_rate_1h: null,
        p95_latency_ms_1h: null,
        quota: {
          limit_count: 100,
          used_count: 50,
          remaining_count: 50,
          window_end: isoAfter(purvey, DAY),
          window: 'day',
          windows: [expect.objectContaining({ window: 'day', remaining_count: 50 })],
        },
        last_error_code: null,
        last_error_at: null,
        last_success_at: isoAfter(purvey, 0),
        breaker: { open_until: null, forced: null, not_before: null },
      })),
    });
    for (const tenant of ['*', 'platform'])
      expect((await summaryFor(tenant)).providers).toHaveLength(1);
  });

  test('shows an organisation its own, named or not', async () => {
    const as = { org: keys['acme'] ?? '' };
    const unnamed = await ok(purvey.call('GET', path, { as }));
    expect(unnamed).toEqual(await summaryFor('acme'));
    expect(await ok(purvey.call('GET', `${path}?tenant_id=acme`, { as }))).toEqual(unnamed);
  });

  test("shows an organisation nothing of another's, of all tenants' or of the platform's: as where nothing is", async () => {
    for (const tenant of ['other', '*', 'platform', 'nobody'])
      expect(
        await ok(
          purvey.call('GET', `${path}?tenant_id=${encodeURIComponent(tenant)}`, {
            as: { org: keys['acme'] ?? '' },
          }),
        ),
      ).toEqual({ tenant_id: tenant, generated_at: isoAfter(purvey, 0), providers: [] });
  });

  test('case 60: of a tenant without data has an empty list', async () => {
    expect(await summaryFor('nobody')).toEqual({
      tenant_id: 'nobody',
      generated_at: isoAfter(purvey, 0),
      providers: [],
    });
  });

  test('asks the operator which tenant', async () => {
    expect(await refused(purvey, ['GET', path, { as: 'operator' }])).toMatchObject({
      code: 'invalid_request',
      details: [{ field: 'query.tenant_id', reason: 'is required' }],
    });
  });

  test('is for keys with the scope health:read', async () => {
    const { api_key } = await ok(
      purvey.call('POST', '/api/v1/orgs/acme/keys', {
        as: 'operator',
        body: { name: 'buying', scopes: ['rfqs:read', 'costs:read'] },
      }),
    );
    expect(await refused(purvey, ['GET', path, { as: { org: api_key } }])).toMatchObject({
      code: 'forbidden',
      details: { required_scopes: ['health:read'] },
    });
  });

  test('reads exactly one health and one current quota document for each provider and capability', async () => {
    const { usage } = await purvey.cloud.meter.measure(() =>
      changesNothing(purvey, () => summaryFor('acme')),
    );
    expect(usage).toMatchObject({ reads: 6, writes: 0 });
  });

  test('reads nothing but the key for a tenant that is not the organisation', async () => {
    const { usage } = await purvey.cloud.meter.measure(() =>
      ok(purvey.call('GET', `${path}?tenant_id=other`, { as: { org: keys['acme'] ?? '' } })),
    );
    expect(usage).toMatchObject({ reads: 1, rpcs: { BatchGetDocuments: 1 } });
    expect(usage.rpcs).not.toHaveProperty('RunQuery');
  });

  test('holds all of a tenant with more providers than one page', async () => {
    await store(
      range(301).flatMap((n) => [healthOf(keyOf('large', n)), quotaOf(keyOf('large', n))]),
    );
    const { result, usage } = await purvey.cloud.meter.measure(() => summaryFor('large'));
    expect(result.providers).toHaveLength(301);
    expect(result.providers.filter(({ quota }: { quota: unknown }) => quota === null)).toEqual([]);
    expect(result).not.toHaveProperty('truncated');
    expect(usage).toMatchObject({ reads: 602, writes: 0 });
  });

  test('says so where there are more than it reads', async () => {
    await store(range(2_001).map((n) => healthOf(keyOf('huge', n))));
    const summary = await summaryFor('huge');
    expect(summary.providers).toHaveLength(2_000);
    expect(summary.truncated).toBe(true);
  });

  refusesQueries(
    () => purvey,
    () => ['GET', path, { as: 'operator' }],
    [
      ['tenant_id=', 'tenant_id', /empty/],
      [`tenant_id=${'x'.repeat(257)}`, 'tenant_id', /most 256/],
      ['tenant_id=a&tenant_id=b', 'tenant_id', /string|text/],
    ],
  );
});
