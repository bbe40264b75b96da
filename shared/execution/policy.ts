import { z } from 'zod';

import { EVERY_TENANT, type ExecutionKey } from './key.ts';

const positive = z.number().positive();
const ratio = z.number().min(0).max(1);

const Retry = z.strictObject({
  /** Calls in all, the first included, over in-process retries and reschedulings together. */
  max_attempts: z.int().positive(),
  base_delay_s: z.number().nonnegative(),
  max_delay_s: z.number().nonnegative(),
  /** The window around a delay, either way, as a share of it; it may exceed `max_delay_s` by it. */
  jitter_ratio: ratio,
  /** A longer wait is left to the caller, which reschedules the task. */
  in_process_wait_s: z.number().nonnegative(),
  /** Retries stop while at most half of the tokens are left; see gRPC A6. Zero switches it off. */
  budget_tokens: z.number().nonnegative(),
  /** What a success gives back; a retryable failure takes 1. */
  budget_token_ratio: ratio,
});

const Breaker = z.strictObject({
  /**
   * `tenant`: one breaker for each tenant, and one over all of them that learns of global outages;
   * `provider`: one for all tenants; `none`: no breaker.
   */
  scope: z.enum(['tenant', 'provider', 'none']),
  failure_threshold: z.int().positive(),
  open_cooldown_s: positive,
  /** Each reopening after a failed probe multiplies the cooldown, up to `max_cooldown_s`. */
  cooldown_multiplier: z.number().min(1),
  max_cooldown_s: positive,
  half_open_max_calls: z.int().positive(),
  /** Probes that must succeed; null means `half_open_max_calls`. */
  success_threshold: z.int().positive().nullable(),
  /** Tenants that must have failed before the breaker over all of them opens. */
  global_tenants: z.int().positive(),
});

export const QUOTA_WINDOWS = ['minute', 'hour', 'day', 'month'] as const;
export type QuotaWindow = (typeof QUOTA_WINDOWS)[number];

function isTimeZone(name: string): boolean {
  try {
    return new Intl.DateTimeFormat('en-US', { timeZone: name }) instanceof Intl.DateTimeFormat;
  } catch {
    return false;
  }
}

const limit = z.int().nonnegative();
const Quota = z
  .strictObject({
    minute: limit.optional(),
    hour: limit.optional(),
    day: limit.optional(),
    month: limit.optional(),
    /** IANA name of the zone whose midnight ends a day and a month. */
    time_zone: z.string().refine(isTimeZone, 'must be an IANA time zone').default('UTC'),
    /** While the store cannot be reached: refuse, serve a fixed number per instance, or serve. */
    outage: z.enum(['refuse', 'allowance', 'serve']).default('refuse'),
    /** Calls one instance may make in a window it could not lease from; only with `allowance`. */
    outage_allowance: z.int().nonnegative().default(10),
  })
  .refine(
    (quota) => QUOTA_WINDOWS.some((window) => quota[window] !== undefined),
    'must set a limit for minute, hour, day or month',
  );

const Capability = z.strictObject({
  retry: Retry.partial().default({}),
  breaker: Breaker.partial().default({}),
  /** The whole call: every attempt and every wait. */
  timeout_budget_s: positive.optional(),
  /** Whether health is kept for each provider, or once for the capability under this name. */
  health_under: z.string().optional(),
});

const QuotaRule = z.strictObject({
  provider: z.string(),
  capability: z.string(),
  /** Only for this tenant; it wins over a rule for all. */
  tenant: z.string().optional(),
  limits: Quota,
});

/** `configs/execution.yaml`. */
export const ExecutionSettings = z.strictObject({
  defaults: z.strictObject({
    retry: Retry.refine(
      ({ base_delay_s, max_delay_s }) => base_delay_s <= max_delay_s,
      'max_delay_s must not be less than base_delay_s',
    ),
    breaker: Breaker.refine(
      ({ open_cooldown_s, max_cooldown_s }) => open_cooldown_s <= max_cooldown_s,
      'max_cooldown_s must not be less than open_cooldown_s',
    ),
    timeout_budget_s: positive,
  }),
  capabilities: z.record(z.string(), Capability),
  quotas: z
    .array(QuotaRule)
    .refine(
      (rules) =>
        new Set(
          rules.map(({ provider, capability, tenant }) =>
            JSON.stringify([provider, capability, tenant]),
          ),
        ).size === rules.length,
      'must not have two rules for one provider, capability and tenant',
    ),
  telemetry: z.strictObject({
    /** How old successes may become in memory before the next call writes them. */
    flush_after_s: positive,
    /** Successes of one flush at most. */
    rows_max: z.int().positive().max(100),
    /** How long attempts can be listed. */
    retention_days: z.int().positive(),
    /** How old an instance's knowledge of a breaker may become. */
    snapshot_s: positive,
    /** The same for the breaker over all tenants. */
    global_snapshot_s: positive,
  }),
});
export type ExecutionSettings = z.infer<typeof ExecutionSettings>;

export interface RetryPolicy {
  readonly maxAttempts: number;
  readonly baseDelayMs: number;
  readonly maxDelayMs: number;
  readonly jitterRatio: number;
  readonly inProcessWaitMs: number;
  readonly budgetTokens: number;
  readonly budgetTokenRatio: number;
}

export interface BreakerPolicy {
  readonly scope: 'tenant' | 'provider' | 'none';
  readonly failureThreshold: number;
  readonly openCooldownMs: number;
  readonly cooldownMultiplier: number;
  readonly maxCooldownMs: number;
  readonly halfOpenMaxCalls: number;
  readonly successThreshold: number;
  /** Distinct tenants that must have failed before it opens; 1 for a breaker of one tenant. */
  readonly tenantsMin: number;
}

export type QuotaPolicy = z.infer<typeof Quota>;

export interface ExecutionPolicy {
  readonly retry: RetryPolicy;
  readonly breaker: BreakerPolicy;
  /** Null without a limit: then no quota document exists. */
  readonly quota: QuotaPolicy | null;
  readonly timeoutBudgetMs: number;
  /** The provider name under which health and attempts are aggregated. */
  readonly healthUnder: string | null;
}

/** YAML has no undefined: what is given is a value. */
const over = <T extends object>(
  defaults: T,
  given: { readonly [K in keyof T]?: T[K] | undefined } | undefined,
): T => ({ ...defaults, ...given }) as T;

const ms = (seconds: number): number => Math.round(seconds * 1_000);

/** What holds for calls under `key`. */
export function policyOf(settings: ExecutionSettings, key: ExecutionKey): ExecutionPolicy {
  const { defaults, capabilities, quotas } = settings;
  const given = capabilities[key.capability];
  const retry = over(defaults.retry, given?.retry);
  const breaker = over(defaults.breaker, given?.breaker);
  const rules = quotas.filter(
    ({ provider, capability, tenant }) =>
      provider === key.providerName &&
      capability === key.capability &&
      (tenant === undefined || tenant === key.tenantId),
  );
  return {
    retry: {
      maxAttempts: retry.max_attempts,
      baseDelayMs: ms(retry.base_delay_s),
      maxDelayMs: ms(retry.max_delay_s),
      jitterRatio: retry.jitter_ratio,
      inProcessWaitMs: ms(retry.in_process_wait_s),
      budgetTokens: retry.budget_tokens,
      budgetTokenRatio: retry.budget_token_ratio,
    },
    breaker: {
      scope: breaker.scope,
      failureThreshold: breaker.failure_threshold,
      openCooldownMs: ms(breaker.open_cooldown_s),
      cooldownMultiplier: breaker.cooldown_multiplier,
      maxCooldownMs: ms(breaker.max_cooldown_s),
      halfOpenMaxCalls: breaker.half_open_max_calls,
      successThreshold: breaker.success_threshold ?? breaker.half_open_max_calls,
      tenantsMin:
        key.tenantId === EVERY_TENANT && breaker.scope === 'tenant' ? breaker.global_tenants : 1,
    },
    quota: (rules.find(({ tenant }) => tenant !== undefined) ?? rules[0])?.limits ?? null,
    timeoutBudgetMs: ms(given?.timeout_budget_s ?? defaults.timeout_budget_s),
    healthUnder: given?.health_under ?? null,
  };
}
