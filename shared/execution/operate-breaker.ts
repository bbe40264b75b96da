import { z } from 'zod';

import { AppError, notFound } from '../errors.ts';
import { GivenId } from '../ids.ts';
import { type Match, matches } from '../matching/schema.ts';
import { ref } from '../store/collection.ts';
import { type Command, type Decision, type Write, set } from '../store/decision.ts';
import { Timestamp } from '../time.ts';
import { type Breaker, forceOpen, release } from './breaker.ts';
import {
  ProviderHealthState,
  breakerOf,
  healthStates,
  newHealthState,
  storedBreaker,
  withBreaker,
} from './health.ts';
import { EVERY_TENANT, type ExecutionKey, keyId } from './key.ts';
import type { BreakerPolicy } from './policy.ts';

const { shape } = ProviderHealthState;

/** A breaker as operators see it. */
export const BreakerView = z.object({
  key: z.string(),
  tenant_id: shape.tenant_id,
  provider_name: shape.provider_name,
  capability: shape.capability,
  breaker_state: shape.breaker_state,
  consecutive_failures: shape.consecutive_failures,
  /** When an open one lets a probe through; null where only a release ends it. */
  open_until: Timestamp.nullable(),
  forced: shape.breaker.shape.forced,
  /** The pause that the provider asked for. */
  not_before: Timestamp.nullable(),
  last_error_code: shape.last_error_code,
  last_error_at: shape.last_error_at,
  updated_at: Timestamp,
});
export type BreakerView = z.infer<typeof BreakerView>;

export const breakerView = (doc: ProviderHealthState): BreakerView => ({
  key: doc.id,
  tenant_id: doc.tenant_id,
  provider_name: doc.provider_name,
  capability: doc.capability,
  breaker_state: doc.breaker_state,
  consecutive_failures: doc.consecutive_failures,
  open_until: doc.breaker.open_until,
  forced: doc.breaker.forced,
  not_before: doc.breaker.not_before,
  last_error_code: doc.last_error_code,
  last_error_at: doc.last_error_at,
  updated_at: doc.updated_at,
});

/** The names of a breaker, as a caller gives them. */
export const GivenNames = {
  tenant_id: z.string().min(1).max(256).optional(),
  provider_name: z.string().min(1).max(256).optional(),
  capability: z.string().min(1).max(256).optional(),
};

/** The key that three names make; null unless all are given. */
export const namedKey = ({
  tenant_id,
  provider_name,
  capability,
}: {
  readonly [Name in keyof typeof GivenNames]?: string | undefined;
}): ExecutionKey | null =>
  tenant_id === undefined || provider_name === undefined || capability === undefined
    ? null
    : { tenantId: tenant_id, providerName: provider_name, capability };

/** The key of a state that exists. */
export const keyOf = (doc: ProviderHealthState | null): ExecutionKey | null => doc && namedKey(doc);

/** POST /internal/v1/breakers/{key}/force-open. The names are needed before the first call of a key. */
export const ForceOpenBreaker = z
  .strictObject({ reason: z.string().trim().min(1).max(500), ...GivenNames })
  .refine(
    ({ tenant_id, provider_name, capability }) =>
      new Set([tenant_id, provider_name, capability].map((name) => name === undefined)).size === 1,
    'tenant_id, provider_name and capability must be given together, or none of them',
  );

interface BreakerCommand extends Command {
  readonly key: ExecutionKey;
}

export interface ForceOpenCommand extends BreakerCommand {
  readonly by: string;
  readonly reason: string;
  readonly scope: BreakerPolicy['scope'];
}

/** A webhook's breaker is kept on its provider's match document; the health state repeats it. */
export const breakerRefs = ({ key }: Pick<BreakerCommand, 'key'>) => ({
  health: ref(healthStates, keyId(key)),
  ...(isOfWebhooks(key) && { match: ref(matches, key.providerName) }),
});

const isOfWebhooks = ({ tenantId, capability, providerName }: ExecutionKey): boolean =>
  tenantId === EVERY_TENANT &&
  capability === 'webhook_delivery' &&
  GivenId.safeParse(providerName).success;

interface BreakerDocs {
  readonly health: ProviderHealthState | null;
  readonly match?: Match | null;
}

/**
 * Opens a breaker until somebody releases it; nothing is sent meanwhile, not even a probe. One that is
 * forced open already keeps who did that, why and when.
 *
 * @throws {AppError} `conflict` when no call asks this breaker
 */
export function forceOpenBreaker(
  docs: BreakerDocs,
  command: ForceOpenCommand,
): Decision<BreakerView> {
  const { key, by, reason, scope } = command;
  if (scope === 'none')
    throw new AppError('conflict', `Calls of ${key.capability} go through no breaker.`);
  if (scope === 'provider' && key.tenantId !== EVERY_TENANT)
    throw new AppError(
      'conflict',
      `One breaker stands for all tenants of ${key.capability}: force that of tenant_id ${EVERY_TENANT}.`,
    );
  return changed(docs, command, forceOpen, { by, reason });
}

/**
 * Closes a breaker that was forced open, or has opened by itself. A pause that the provider asked for
 * goes on.
 *
 * @throws {AppError} `not_found`
 */
export function releaseBreaker(docs: BreakerDocs, command: BreakerCommand): Decision<BreakerView> {
  if (!docs.health) throw notFound('breaker');
  return changed(docs, command, released);
}

/** An operator who releases a breaker wants it closed, whoever opened it. */
const released = (breaker: Breaker): Breaker =>
  breaker.state === 'closed' ? breaker : release({ ...breaker, forced: true });

function changed(
  { health, match }: BreakerDocs,
  { key, at }: BreakerCommand,
  change: (breaker: Breaker) => Breaker,
  forcedBy?: { readonly by: string; readonly reason: string },
): Decision<BreakerView> {
  const known = match ? (match.breaker ?? null) : health;
  const before = breakerOf(known);
  const next = change(before);
  const doc = health ?? newHealthState(key, at);
  const isNew = next !== before;
  if (!isNew && doc.breaker.epoch === before.epoch) return { writes: [], reply: breakerView(doc) };
  const forced = known?.breaker.forced ?? null;
  const by = isNew ? forcedBy : undefined;
  const state = withBreaker({ ...doc, breaker: { ...doc.breaker, forced } }, next, at, by);
  const writes: Write[] = [set(ref(healthStates, doc.id), state)];
  if (match && isNew) {
    const breaker = storedBreaker(next, at, forced, by);
    writes.push(set(ref(matches, match.provider_id), { ...match, breaker }));
  }
  return { writes, reply: breakerView(state) };
}
