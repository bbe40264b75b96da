import { z } from 'zod';

import { Refused, asOperator, asOrg, caller } from './call.ts';

/** The minimum of a dead letter: thirteen fields. */
const Letter = z.object({
  tenant_id: z.string(),
  campaign_id: z.string().nullable(),
  task_name: z.string(),
  provider_name: z.string(),
  capability: z.string(),
  operation: z.string(),
  idempotency_key: z.string(),
  correlation_id: z.string(),
  reason_code: z.string(),
  error_type: z.string(),
  error_message: z.string(),
  attempts: z.number(),
  occurred_at: z.string(),
});
export const LETTER_FIELDS = Letter.keyof().options;

// Only what the story reads: fields may be added without breaking a client.
const DeadLetter = Letter.extend({
  dead_letter_id: z.string(),
  status: z.string(),
  replayed_at: z.string().nullable(),
});
const Replayed = z.object({ replayed_at: z.string() });
const Task = z.object({
  task_execution_id: z.string(),
  correlation_id: z.string(),
  state: z.enum(['RUNNING', 'WAITING', 'SUCCEEDED', 'FAILED']),
  attempts: z.number(),
  last_failure: z
    .object({ reason_code: z.string().nullable(), message: z.string(), at: z.string() })
    .nullable(),
  next_attempt_at: z.string().nullable(),
  updated_at: z.string(),
  dead_letter_id: z.string().nullable(),
});
const Breaker = z.object({
  key: z.string(),
  breaker_state: z.enum(['closed', 'open', 'half_open']),
  consecutive_failures: z.number(),
  open_until: z.string().nullable(),
  forced: z.object({ by: z.string(), reason: z.string() }).nullable(),
});
const Breakers = z.object({ breakers: z.array(Breaker), next_cursor: z.string().nullish() });
const Attempt = z.object({
  id: z.string(),
  attempt_number: z.number(),
  duration_ms: z.number(),
  outcome: z.string(),
  reason_code: z.string().nullable(),
  http_status: z.number().nullable(),
  /** When it ended. */
  created_at: z.string(),
});
const Attempts = z.object({ attempts: z.array(Attempt), next_cursor: z.string().nullish() });
const Window = z.object({
  window: z.string(),
  limit_count: z.number(),
  used_count: z.number(),
  remaining_count: z.number(),
});
const Health = z.object({
  provider_name: z.string(),
  breaker_state: z.string(),
  success_rate_1h: z.number().nullable(),
  p95_latency_ms_1h: z.number().nullable(),
  quota: Window.extend({ window_end: z.string(), windows: z.array(Window) }).nullable(),
  last_error_code: z.string().nullable(),
  last_error_at: z.string().nullable(),
  last_success_at: z.string().nullable(),
});
const Healths = z.object({ tenant_id: z.string(), providers: z.array(Health) });
/** `ahead_ms`: of this machine's clock. */
const CloudClock = z.object({ now: z.string(), ahead_ms: z.number() });

export type DeadLetter = z.infer<typeof DeadLetter>;
export type Task = z.infer<typeof Task>;
export type Breaker = z.infer<typeof Breaker>;
export type Attempt = z.infer<typeof Attempt>;
export type Health = z.infer<typeof Health>;
export type ExecutionApi = ReturnType<typeof connectExecution>;

const PROVIDER = { provider_name: 'synthetic', capability: 'synthetic_call' } as const;

/** The endpoints of the execution layer, and the clock of the embedded cloud. */
export function connectExecution(url: string, operatorKey: string) {
  const operator = asOperator(operatorKey);
  const { call, pages } = caller(url);
  const clockPath = '/_local/api/clock';

  return {
    /** The time of the embedded cloud, and how far it is ahead of this machine's. */
    async clock(): Promise<{ readonly nowMs: number; readonly aheadMs: number }> {
      try {
        const { now, ahead_ms } = await call(CloudClock, {
          method: 'GET',
          path: clockPath,
          headers: operator,
        });
        return { nowMs: Date.parse(now), aheadMs: ahead_ms };
      } catch (error) {
        if (!(error instanceof Refused && error.status === 404)) throw error;
        throw new Error(
          `The story moves the clock, and ${url} has none to move: use \`npm start\`.`,
          {
            cause: error,
          },
        );
      }
    },

    advance: (ms: number) =>
      call(CloudClock, {
        method: 'POST',
        path: clockPath,
        headers: operator,
        body: { advance_ms: Math.ceil(ms) },
      }),

    start: (tenantId: string, given: { payload: object; key: string; correlation: string }) =>
      call(Task, {
        method: 'POST',
        path: '/internal/v1/provider-tasks',
        headers: operator,
        body: {
          tenant_id: tenantId,
          ...PROVIDER,
          operation: 'demo',
          payload: given.payload,
          idempotency_key: given.key,
          correlation_id: given.correlation,
        },
      }),

    task: (id: string) =>
      call(Task, { method: 'GET', path: `/internal/v1/provider-tasks/${id}`, headers: operator }),

    /** The one breaker of a tenant's calls of the synthetic provider. */
    async breaker(tenantId: string): Promise<Breaker> {
      const { breakers } = await call(Breakers, {
        method: 'GET',
        path: '/internal/v1/breakers',
        query: { tenant_id: tenantId, ...PROVIDER },
        headers: operator,
      });
      const [breaker] = breakers;
      if (!breaker) throw new Error(`GET /internal/v1/breakers has none for ${tenantId}.`);
      return breaker;
    },

    /** Those of a tenant that are not closed. */
    openBreakers: (tenantId: string) =>
      pages(
        { path: '/internal/v1/breakers', query: { tenant_id: tenantId }, headers: operator },
        (page) => {
          const { breakers, next_cursor } = Breakers.parse(page);
          return { items: breakers, next: next_cursor };
        },
      ),

    forceOpen: (key: string, reason: string) =>
      call(Breaker, {
        method: 'POST',
        path: `/internal/v1/breakers/${key}/force-open`,
        headers: operator,
        body: { reason },
      }),

    release: (key: string) =>
      call(Breaker, {
        method: 'POST',
        path: `/internal/v1/breakers/${key}/release`,
        headers: operator,
      }),

    deadLetter: (id: string) =>
      call(DeadLetter, { method: 'GET', path: `/api/v1/dead-letters/${id}`, headers: operator }),

    replay: (id: string) =>
      call(Replayed, {
        method: 'POST',
        path: `/api/v1/dead-letters/${id}/replay`,
        headers: operator,
      }),

    /** @param orgKey of the tenant, which reads its own */
    async health(orgKey: string): Promise<Health> {
      const { providers } = await call(Healths, {
        method: 'GET',
        path: '/api/v1/provider-health/summary',
        headers: asOrg(orgKey),
      });
      const [health] = providers;
      if (!health) throw new Error('The health summary has no provider.');
      return health;
    },

    attempts: (orgKey: string, query: Readonly<Record<string, string>> = {}) =>
      pages({ path: '/api/v1/provider-metrics', query, headers: asOrg(orgKey) }, (page) => {
        const { attempts, next_cursor } = Attempts.parse(page);
        return { items: attempts, next: next_cursor };
      }),
  };
}
