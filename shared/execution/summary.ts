import { z } from 'zod';

import { Timestamp } from '../time.ts';
import { ProviderHealthState, ratesAt } from './health.ts';
import { QUOTA_WINDOWS } from './policy.ts';
import { QuotaState } from './quota.ts';

const QuotaWindow = QuotaState.shape.windows.element;

const Quota = QuotaWindow.pick({
  window: true,
  limit_count: true,
  used_count: true,
  remaining_count: true,
  window_end: true,
}).extend({
  /** All of them, longest first. Where the times are null, nothing was used since the last one ended. */
  windows: z.array(
    QuotaWindow.extend({
      window_start: Timestamp.nullable(),
      window_end: Timestamp.nullable(),
    }),
  ),
});

const columns = ProviderHealthState.shape;

/** The contract of the specification; `breaker`, `window` and `windows` are ours. */
const ProviderHealth = z.object({
  provider_name: z.string(),
  capability: z.string(),
  /** What holds now: an open breaker whose cooldown is over would admit a probe, and is half open. */
  breaker_state: columns.breaker_state,
  success_rate_1h: columns.success_rate_1h,
  p95_latency_ms_1h: columns.p95_latency_ms_1h,
  /** The present window with the least remaining; null without a limit, and until its first call. */
  quota: Quota.nullable(),
  last_error_code: columns.last_error_code,
  last_error_at: columns.last_error_at,
  last_success_at: columns.last_success_at,
  /** Times that lie ahead, else null. */
  breaker: z.object({
    open_until: Timestamp.nullable(),
    forced: columns.breaker.shape.forced,
    not_before: Timestamp.nullable(),
  }),
});
type ProviderHealth = z.infer<typeof ProviderHealth>;

/** GET /api/v1/provider-health/summary. */
export const HealthSummary = z.object({
  tenant_id: z.string(),
  generated_at: Timestamp,
  providers: z.array(ProviderHealth),
  /** Set where there are more providers than one answer reads. */
  truncated: z.literal(true).optional(),
});
export type HealthSummary = z.infer<typeof HealthSummary>;

/**
 * How a tenant's providers do, by name and capability. What has a quota but was never called since
 * health is kept appears as well: closed, without rates.
 *
 * @param forAll breakers over all tenants that are not closed: their refusals hold for this one too
 */
export function healthSummary(
  tenantId: string,
  healthDocs: readonly ProviderHealthState[],
  quotaDocs: readonly QuotaState[],
  forAll: readonly ProviderHealthState[],
  at: Date,
): HealthSummary {
  const quotas = Map.groupBy(quotaDocs, nameOf);
  const overAll = new Map(forAll.map((doc) => [nameOf(doc), doc]));
  const states = new Map(healthDocs.map((doc) => [nameOf(doc), doc]));
  const unknown = [...quotas].flatMap(([name, rows]) => (states.has(name) ? [] : rows.slice(0, 1)));
  return {
    tenant_id: tenantId,
    generated_at: at.toISOString(),
    providers: [
      ...healthDocs.map((doc) => ({
        ...stricter(stateView(doc, at), overAll.get(nameOf(doc)), at),
        quota: quotaView(quotas.get(nameOf(doc)) ?? [], at),
      })),
      ...unknown.map((row) => ({
        ...stricter(unknownView(row), overAll.get(nameOf(row)), at),
        quota: quotaView(quotas.get(nameOf(row)) ?? [], at),
      })),
    ].toSorted(byName),
  };
}

/** What refuses more holds: open before half open before closed. */
const STRICTNESS = { closed: 0, half_open: 1, open: 2 };

function stricter(
  own: Omit<ProviderHealth, 'quota'>,
  forAll: ProviderHealthState | undefined,
  at: Date,
): Omit<ProviderHealth, 'quota'> {
  if (!forAll) return own;
  const { breaker_state, breaker } = stateView(forAll, at);
  return STRICTNESS[breaker_state] > STRICTNESS[own.breaker_state]
    ? { ...own, breaker_state, breaker: { ...breaker, not_before: own.breaker.not_before } }
    : own;
}

type Named = Pick<ProviderHealth, 'provider_name' | 'capability'>;

const nameOf = ({ provider_name, capability }: Named): string =>
  JSON.stringify([provider_name, capability]);

const byName = (a: Named, b: Named): number =>
  compare(a.provider_name, b.provider_name) || compare(a.capability, b.capability);

const compare = (a: string, b: string): number => (a < b ? -1 : a > b ? 1 : 0);

function stateView(doc: ProviderHealthState, at: Date): Omit<ProviderHealth, 'quota'> {
  const { open_until, forced, not_before } = doc.breaker;
  const isCooling =
    forced !== null || (open_until !== null && Date.parse(open_until) > at.getTime());
  return {
    provider_name: doc.provider_name,
    capability: doc.capability,
    breaker_state: doc.breaker_state === 'open' && !isCooling ? 'half_open' : doc.breaker_state,
    ...ratesAt(doc, at),
    last_error_code: doc.last_error_code,
    last_error_at: doc.last_error_at,
    last_success_at: doc.last_success_at,
    breaker: {
      open_until: ahead(open_until, at),
      forced,
      not_before: ahead(not_before, at),
    },
  };
}

const ahead = (time: string | null, at: Date): string | null =>
  time !== null && Date.parse(time) > at.getTime() ? time : null;

const unknownView = ({ provider_name, capability }: Named): Omit<ProviderHealth, 'quota'> => ({
  provider_name,
  capability,
  breaker_state: 'closed',
  success_rate_1h: null,
  p95_latency_ms_1h: null,
  last_error_code: null,
  last_error_at: null,
  last_success_at: null,
  breaker: { open_until: null, forced: null, not_before: null },
});

/**
 * Of a window that has ended the next one is shown, of which nothing is used; it is not chosen, for
 * only the policy knows when it ends.
 *
 * @param rows of one key: several where the policy's longest window was changed
 */
function quotaView(rows: readonly QuotaState[], at: Date): ProviderHealth['quota'] {
  const latest = rows
    .toSorted((a, b) => compare(a.updated_at, b.updated_at))
    .flatMap(({ windows }) => windows);
  const byWindow = new Map(latest.map((state) => [state.window, state]));
  const states = QUOTA_WINDOWS.toReversed().flatMap((window) => byWindow.get(window) ?? []);
  const isPresent = ({ window_start, window_end }: (typeof states)[number]) =>
    Date.parse(window_start) <= at.getTime() && at.getTime() < Date.parse(window_end);
  const [least] = states
    .filter(isPresent)
    .toSorted((a, b) => a.remaining_count - b.remaining_count);
  if (!least) return null;
  const { window, limit_count, used_count, remaining_count, window_end } = least;
  return {
    limit_count,
    used_count,
    remaining_count,
    window_end,
    window,
    windows: states.map((state) =>
      isPresent(state)
        ? state
        : {
            ...state,
            window_start: null,
            window_end: null,
            used_count: 0,
            remaining_count: state.limit_count,
          },
    ),
  };
}
