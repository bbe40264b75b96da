import { describe, expect, it } from 'vitest';

import { EVERY_TENANT, type ExecutionKey } from '../../../shared/execution/key.ts';
import { ExecutionSettings, policyOf } from '../../../shared/execution/policy.ts';
import { executionSettings } from '../../../shared/runtime/settings.ts';
import { settingsWith } from './support/scripted.ts';

const key: ExecutionKey = {
  tenantId: 'acme',
  providerName: 'openai',
  capability: 'usage_extract',
};
const everyone: ExecutionKey = { ...key, tenantId: EVERY_TENANT };

describe('a policy', () => {
  it('is what the defaults say where nothing else does, in milliseconds', () => {
    expect(policyOf(settingsWith(), key)).toEqual({
      retry: {
        maxAttempts: 3,
        baseDelayMs: 250,
        maxDelayMs: 5_000,
        jitterRatio: 0,
        inProcessWaitMs: 2_000,
        budgetTokens: 0,
        budgetTokenRatio: 0.1,
      },
      breaker: {
        scope: 'tenant',
        failureThreshold: 5,
        openCooldownMs: 60_000,
        cooldownMultiplier: 2,
        maxCooldownMs: 600_000,
        halfOpenMaxCalls: 1,
        successThreshold: 1,
        tenantsMin: 1,
      },
      quota: null,
      timeoutBudgetMs: 30_000,
      healthUnder: null,
    });
  });

  it('keeps to whole milliseconds', () => {
    const settings = settingsWith({ timeout_budget_s: 0.3, retry: { base_delay_s: 1.1 } });
    expect(policyOf(settings, key)).toMatchObject({
      timeoutBudgetMs: 300,
      retry: { baseDelayMs: 1_100 },
    });
  });

  it('of a capability takes from it what it names, and the rest from the defaults', () => {
    const settings = settingsWith({
      capabilities: {
        usage_extract: {
          retry: { max_attempts: 7, budget_tokens: 4 },
          breaker: { failure_threshold: 2 },
          timeout_budget_s: 120,
          health_under: 'extracts',
        },
      },
    });
    const defaults = policyOf(settings, { ...key, capability: 'object_extract' });
    expect(defaults).toEqual(policyOf(settingsWith(), key));
    expect(policyOf(settings, key)).toEqual({
      retry: { ...defaults.retry, maxAttempts: 7, budgetTokens: 4 },
      breaker: { ...defaults.breaker, failureThreshold: 2 },
      quota: null,
      timeoutBudgetMs: 120_000,
      healthUnder: 'extracts',
    });
  });

  it('takes a value of nothing for a value: no jitter, no wait, no budget of retries', () => {
    const settings = settingsWith({
      retry: { jitter_ratio: 0.1, budget_tokens: 10 },
      capabilities: {
        usage_extract: {
          retry: { jitter_ratio: 0, in_process_wait_s: 0, base_delay_s: 0, budget_tokens: 0 },
          breaker: {},
        },
      },
    });
    expect(policyOf(settings, key).retry).toMatchObject({
      jitterRatio: 0,
      inProcessWaitMs: 0,
      baseDelayMs: 0,
      budgetTokens: 0,
    });
  });

  it.each(['constructor', 'toString', '__proto__', 'hasOwnProperty'])(
    'of a capability that nobody named is the default, even for %s',
    (capability) => {
      expect(policyOf(settingsWith(), { ...key, capability })).toEqual(
        policyOf(settingsWith(), key),
      );
    },
  );

  it('needs as many successful probes as there may be at once, unless it says otherwise', () => {
    const of = (breaker: Parameters<typeof settingsWith>[0]) =>
      policyOf(settingsWith(breaker), key).breaker.successThreshold;
    expect(of({ breaker: { half_open_max_calls: 3 } })).toBe(3);
    expect(of({ breaker: { half_open_max_calls: 3, success_threshold: 1 } })).toBe(1);
    expect(of({ breaker: { half_open_max_calls: 1, success_threshold: 4 } })).toBe(4);
  });
});

describe('the breaker over all tenants', () => {
  const { breaker } = policyOf(settingsWith({ breaker: { global_tenants: 3 } }), everyone);

  it('opens when several tenants have failed, where each has its own as well', () => {
    expect(breaker.tenantsMin).toBe(3);
    expect(policyOf(settingsWith({ breaker: { global_tenants: 3 } }), key).breaker.tenantsMin).toBe(
      1,
    );
  });

  it.each(['provider', 'none'] as const)(
    'opens whoever failed where it is the only one: scope %s',
    (scope) => {
      const settings = settingsWith({ breaker: { scope, global_tenants: 3 } });
      expect(policyOf(settings, everyone).breaker.tenantsMin).toBe(1);
      expect(policyOf(settings, key).breaker.tenantsMin).toBe(1);
    },
  );
});

describe('a quota', () => {
  const limits = (day: number) =>
    ({ day, time_zone: 'UTC', outage: 'refuse', outage_allowance: 10 }) as const;
  const rule = (day: number, given: { tenant?: string; provider?: string } = {}) => ({
    provider: 'openai',
    capability: 'usage_extract',
    limits: limits(day),
    ...given,
  });
  const dayOf = (quotas: ReturnType<typeof rule>[], of: ExecutionKey = key) =>
    policyOf(settingsWith({ quotas }), of).quota?.day;

  it('is none without a rule for its provider and capability', () => {
    expect(policyOf(settingsWith({ quotas: [rule(5)] }), key).quota).toEqual(limits(5));
    for (const other of [
      { ...key, providerName: 'anthropic' },
      { ...key, capability: 'object_extract' },
    ])
      expect(policyOf(settingsWith({ quotas: [rule(5)] }), other).quota).toBeNull();
  });

  it('is the same for each tenant, and its own for each', () => {
    expect(dayOf([rule(5)], { ...key, tenantId: 'globex' })).toBe(5);
  });

  it.each([
    ['before', [rule(9, { tenant: 'acme' }), rule(5)]],
    ['after', [rule(5), rule(9, { tenant: 'acme' })]],
  ])('of a tenant wins over that of all, written %s it', (_, quotas) => {
    expect(dayOf(quotas)).toBe(9);
    expect(dayOf(quotas, { ...key, tenantId: 'globex' })).toBe(5);
  });

  it('of another tenant is none of ours', () => {
    expect(dayOf([rule(9, { tenant: 'globex' })])).toBeUndefined();
    expect(dayOf([rule(9, { tenant: 'globex' }), rule(5)])).toBe(5);
  });

  it('of nothing is one, that refuses all', () => {
    expect(dayOf([rule(0)])).toBe(0);
  });
});

describe('configs/execution.yaml', () => {
  const of = (capability: string, tenantId = 'acme') =>
    policyOf(executionSettings(), { tenantId, providerName: 'prov_1', capability });

  it('gives every provider call three attempts within thirty seconds, two of them waited for here', () => {
    const { retry, breaker, timeoutBudgetMs, quota, healthUnder } = of('usage_extract');
    expect(retry).toEqual({
      maxAttempts: 3,
      baseDelayMs: 250,
      maxDelayMs: 5_000,
      jitterRatio: 0.1,
      inProcessWaitMs: 2_000,
      budgetTokens: 10,
      budgetTokenRatio: 0.1,
    });
    expect(breaker).toEqual({
      scope: 'tenant',
      failureThreshold: 5,
      openCooldownMs: 60_000,
      cooldownMultiplier: 2,
      maxCooldownMs: 600_000,
      halfOpenMaxCalls: 1,
      successThreshold: 1,
      tenantsMin: 1,
    });
    expect({ timeoutBudgetMs, quota, healthUnder }).toEqual({
      timeoutBudgetMs: 30_000,
      quota: null,
      healthUnder: null,
    });
  });

  it('opens the breaker over all tenants when two have failed', () => {
    expect(of('usage_extract', EVERY_TENANT).breaker.tenantsMin).toBe(2);
  });

  it('looks a breaker up again after fifteen seconds, and packs up to a hundred successes', () => {
    expect(executionSettings().telemetry).toEqual({
      flush_after_s: 30,
      rows_max: 100,
      retention_days: 30,
      snapshot_s: 15,
      global_snapshot_s: 60,
    });
  });

  it('has one breaker for a provider’s webhooks, whoever buys, and health for all webhooks together', () => {
    const { breaker, healthUnder, timeoutBudgetMs, quota } = of('webhook_delivery');
    expect(breaker).toEqual({ ...of('usage_extract').breaker, scope: 'provider' });
    expect(of('webhook_delivery', EVERY_TENANT).breaker.tenantsMin).toBe(1);
    expect({ healthUnder, timeoutBudgetMs, quota }).toEqual({
      healthUnder: 'webhooks',
      timeoutBudgetMs: 10_000,
      quota: null,
    });
  });

  it('leaves every wait between two webhooks to the task, for as long as the RFQ is open', () => {
    expect(of('webhook_delivery').retry).toMatchObject({
      inProcessWaitMs: 0,
      jitterRatio: 0,
      budgetTokens: 0,
      baseDelayMs: 5_000,
      maxDelayMs: 900_000,
    });
    // At fifteen minutes each, more than the hundred days that an RFQ could ever be open.
    expect(of('webhook_delivery').retry.maxAttempts * 900_000).toBeGreaterThan(100 * 86_400_000);
  });

  it('lets nothing stand in the way of a probe, which is made once within three seconds', () => {
    const { breaker, retry, timeoutBudgetMs, healthUnder } = of('endpoint_probe');
    expect(breaker.scope).toBe('none');
    expect(retry.maxAttempts).toBe(1);
    expect({ timeoutBudgetMs, healthUnder }).toEqual({
      timeoutBudgetMs: 3_000,
      healthUnder: 'endpoints',
    });
  });

  it('limits the synthetic provider, and nobody else yet', () => {
    const { quota, timeoutBudgetMs } = policyOf(executionSettings(), {
      tenantId: 'acme',
      providerName: 'synthetic',
      capability: 'synthetic_call',
    });
    expect(timeoutBudgetMs).toBe(5_000);
    expect(quota).toEqual({
      minute: 60,
      day: 10_000,
      time_zone: 'UTC',
      outage: 'refuse',
      outage_allowance: 10,
    });
    expect(executionSettings().quotas).toHaveLength(1);
  });
});

describe('settings', () => {
  /** The messages for the product's settings with other values at some paths. */
  const issuesOf = (values: Readonly<Record<string, unknown>>): string[] => {
    const settings: unknown = structuredClone(executionSettings());
    for (const [path, value] of Object.entries(values)) put(settings, path.split('/'), value);
    const parsed = ExecutionSettings.safeParse(settings);
    return parsed.success
      ? []
      : parsed.error.issues.map(({ path, message }) => `${path.join('/')}: ${message}`);
  };

  it('that are right are taken as they are', () => {
    expect(issuesOf({})).toEqual([]);
    expect(
      issuesOf({
        'defaults/retry/max_attempts': 1,
        'defaults/retry/jitter_ratio': 1,
        'defaults/retry/base_delay_s': 0,
        'defaults/breaker/cooldown_multiplier': 1,
        'defaults/breaker/success_threshold': 2,
        'telemetry/rows_max': 1,
        'quotas/0/limits': { month: 0, time_zone: 'Asia/Tehran', outage: 'serve' },
        'capabilities/anything': {},
      }),
    ).toEqual([]);
  });

  it.each([
    ['defaults/retry/max_attempts', 0, /expected number to be >0/],
    ['defaults/retry/max_attempts', 2.5, /expected int/],
    ['defaults/retry/base_delay_s', -1, />=0/],
    ['defaults/retry/base_delay_s', Number.NaN, /expected number/],
    ['defaults/retry/max_delay_s', '5s', /expected number, received string/],
    ['defaults/retry/jitter_ratio', 1.1, /<=1/],
    ['defaults/retry/jitter_ratio', -0.1, />=0/],
    ['defaults/retry/budget_token_ratio', 2, /<=1/],
    ['defaults/breaker/scope', 'global', /"tenant"\|"provider"\|"none"/],
    ['defaults/breaker/failure_threshold', 0, />0/],
    ['defaults/breaker/open_cooldown_s', 0, />0/],
    ['defaults/breaker/open_cooldown_s', undefined, /expected number, received undefined/],
    ['defaults/breaker/cooldown_multiplier', 0.5, />=1/],
    ['defaults/breaker/half_open_max_calls', 0, />0/],
    ['defaults/breaker/success_threshold', 0, />0/],
    ['defaults/timeout_budget_s', 0, />0/],
    ['defaults/timeout_budget_s', Number.POSITIVE_INFINITY, /expected number/],
    ['capabilities/webhook_delivery/timeout_budget_s', -10, />0/],
    ['capabilities/webhook_delivery/breaker/scope', 'all', /Invalid option/],
    ['capabilities/webhook_delivery', null, /expected object/],
    ['quotas/0/limits/day', -1, />=0/],
    ['quotas/0/limits/minute', 1.5, /expected int/],
    ['quotas/0/limits/outage', 'open', /"refuse"\|"allowance"\|"serve"/],
    ['quotas/0/limits/time_zone', 'Mars/Olympus', /must be an IANA time zone/],
    ['quotas/0/limits', {}, /must set a limit for minute, hour, day or month/],
    ['quotas/0/provider', undefined, /expected string/],
    ['telemetry/rows_max', 101, /<=100/],
    ['telemetry/flush_after_s', 0, />0/],
    ['telemetry/retention_days', 0, />0/],
    ['telemetry/snapshot_s', -1, />0/],
  ])('are refused by name: %s %s', (path, value, message) => {
    expect(issuesOf({ [path]: value })).toEqual([
      expect.stringMatching(new RegExp(`^${path}: .*${message.source}`)),
    ]);
  });

  it.each([
    ['the whole', 'breakers', 'Unrecognized key: "breakers"'],
    ['the retries', 'defaults/retry/max_retries', 'Unrecognized key: "max_retries"'],
    ['the breaker', 'defaults/breaker/threshold', 'Unrecognized key: "threshold"'],
    ['a capability', 'capabilities/endpoint_probe/timeout_s', 'Unrecognized key: "timeout_s"'],
    ['telemetry', 'telemetry/flush_s', 'Unrecognized key: "flush_s"'],
    ['a quota', 'quotas/0/limits/week', 'Unrecognized key: "week"'],
  ])('are refused with a key that nobody knows, in %s', (_, path, message) => {
    const place = path.split('/').slice(0, -1).join('/');
    expect(issuesOf({ [path]: 1 })).toContain(`${place}: ${message}`);
  });

  it('name everything that is wrong at once', () => {
    expect(
      issuesOf({ 'defaults/retry/max_attempts': 0, 'telemetry/rows_max': 0 }).map(
        (issue) => issue.split(':')[0],
      ),
    ).toEqual(['defaults/retry/max_attempts', 'telemetry/rows_max']);
  });
});

/** Sets a value deep inside; undefined removes it. */
function put(target: unknown, [step = '', ...rest]: readonly string[], value: unknown): void {
  const holder = target as Record<string, unknown>;
  if (rest.length > 0) put(holder[step], rest, value);
  else if (value === undefined) delete holder[step];
  else holder[step] = value;
}
