import { RpcError } from '../kernel/grpc.ts';
import { fromMs, toMs } from '../kernel/proto-time.ts';
import { parseFilter } from './filter.ts';
import { checkName } from './names.ts';
import { parseRetention } from './topic-settings.ts';
import type { WireSubscription } from './wire.ts';

export interface PushTarget {
  readonly endpoint: string;
  readonly attributes: Readonly<Record<string, string>>;
  readonly oidc?: { readonly email: string; readonly audience: string };
}

export interface SubscriptionSettings {
  readonly name: string;
  readonly topic: string;
  /** Absent: the subscriber pulls. */
  readonly push?: PushTarget;
  readonly ackDeadlineMs: number;
  readonly retry?: { readonly minBackoffMs: number; readonly maxBackoffMs: number };
  readonly deadLetter?: { readonly topic: string; readonly maxDeliveryAttempts: number };
  readonly filter: string;
  readonly isOrdered: boolean;
  readonly retentionMs: number;
  /** Acknowledged messages can be sought back to until the retention ends. */
  readonly retainsAcked: boolean;
  /** Gets no more messages and holds none. */
  readonly isDetached: boolean;
  /** 0 never; kept and shown, but no subscription expires here. */
  readonly expirationMs: number;
  readonly labels: Readonly<Record<string, string>>;
  /** The first message id that could be its; set when it is created. */
  readonly sinceId?: string;
}

const ACK_DEADLINE_S = { min: 10, max: 600 };
const RETRY_MS = { minDefault: 10_000, max: 600_000 };
const DELIVERY_ATTEMPTS = { min: 5, max: 100 };
const RETENTION_MS_DEFAULT = 7 * 24 * 3_600_000;
const EXPIRATION_MS = { min: 24 * 3_600_000, default: 31 * 24 * 3_600_000 };
/** What a subscription's topic becomes when the topic is deleted. */
export const DELETED_TOPIC = '_deleted-topic_';

const NOT_IMITATED = [
  'bigqueryConfig',
  'cloudStorageConfig',
  'bigtableConfig',
  'enableExactlyOnceDelivery',
] as const;

const invalid = (message: string) => new RpcError('INVALID_ARGUMENT', message);

function inRange(field: string, value: number, min: number, max: number): number {
  if (value >= min && value <= max) return value;
  throw invalid(`Invalid ${field}: ${value} (must be between ${min} and ${max}).`);
}

function parsePush(wire: WireSubscription): PushTarget | undefined {
  const config = wire.pushConfig;
  const endpoint = config?.pushEndpoint;
  if (!endpoint) return undefined;
  if (config.noWrapper) throw new RpcError('UNIMPLEMENTED', 'no_wrapper is not imitated.');
  if (!/^https?:\/\//i.test(endpoint) || !URL.canParse(endpoint))
    throw invalid(`Invalid push endpoint given (endpoint=${endpoint}).`);
  const email = config.oidcToken?.serviceAccountEmail;
  return {
    endpoint,
    attributes: { ...config.attributes },
    ...(email && { oidc: { email, audience: config.oidcToken?.audience || endpoint } }),
  };
}

function parseRetry(wire: WireSubscription): SubscriptionSettings['retry'] {
  if (!wire.retryPolicy) return undefined;
  const { minimumBackoff, maximumBackoff } = wire.retryPolicy;
  const minBackoffMs = toMs(minimumBackoff) ?? RETRY_MS.minDefault;
  const maxBackoffMs = toMs(maximumBackoff) ?? RETRY_MS.max;
  inRange('minimum_backoff', minBackoffMs, 0, RETRY_MS.max);
  inRange('maximum_backoff', maxBackoffMs, minBackoffMs, RETRY_MS.max);
  return { minBackoffMs, maxBackoffMs };
}

function parseDeadLetter(wire: WireSubscription): SubscriptionSettings['deadLetter'] {
  const policy = wire.deadLetterPolicy;
  if (!policy?.deadLetterTopic) return undefined;
  const attempts = policy.maxDeliveryAttempts || DELIVERY_ATTEMPTS.min;
  return {
    topic: checkName('topics', policy.deadLetterTopic),
    maxDeliveryAttempts: inRange(
      'max_delivery_attempts',
      attempts,
      DELIVERY_ATTEMPTS.min,
      DELIVERY_ATTEMPTS.max,
    ),
  };
}

function parseExpiration(wire: WireSubscription): number {
  if (!wire.expirationPolicy) return EXPIRATION_MS.default;
  const ttlMs = toMs(wire.expirationPolicy.ttl) ?? 0;
  return ttlMs === 0 ? 0 : inRange('expiration ttl', ttlMs, EXPIRATION_MS.min, Infinity);
}

/** Settings as an earlier version of the embedded cloud may have stored them. */
export const withDefaults = (settings: Partial<SubscriptionSettings>): SubscriptionSettings => ({
  ...({
    retainsAcked: false,
    isDetached: false,
    expirationMs: EXPIRATION_MS.default,
  } satisfies Partial<SubscriptionSettings>),
  ...(settings as SubscriptionSettings),
});

export function parseSubscription(wire: WireSubscription): SubscriptionSettings {
  for (const field of NOT_IMITATED)
    if (wire[field]) throw new RpcError('UNIMPLEMENTED', `${field} is not imitated.`);
  if (wire.messageTransforms?.length)
    throw new RpcError('UNIMPLEMENTED', 'message_transforms are not imitated.');
  const filter = wire.filter ?? '';
  parseFilter(filter);
  const push = parsePush(wire);
  const retry = parseRetry(wire);
  const deadLetter = parseDeadLetter(wire);
  const ackDeadlineS = wire.ackDeadlineSeconds || ACK_DEADLINE_S.min;
  return {
    name: checkName('subscriptions', wire.name),
    topic: wire.topic === DELETED_TOPIC ? DELETED_TOPIC : checkName('topics', wire.topic),
    ...(push && { push }),
    ackDeadlineMs:
      inRange('ack deadline', ackDeadlineS, ACK_DEADLINE_S.min, ACK_DEADLINE_S.max) * 1000,
    ...(retry && { retry }),
    ...(deadLetter && { deadLetter }),
    filter,
    isOrdered: wire.enableMessageOrdering ?? false,
    retentionMs: parseRetention(toMs(wire.messageRetentionDuration) ?? RETENTION_MS_DEFAULT),
    retainsAcked: wire.retainAckedMessages ?? false,
    isDetached: wire.detached ?? false,
    expirationMs: parseExpiration(wire),
    labels: { ...wire.labels },
  };
}

export const subscriptionToWire = (settings: SubscriptionSettings): WireSubscription => ({
  name: settings.name,
  topic: settings.topic,
  pushConfig: settings.push
    ? {
        pushEndpoint: settings.push.endpoint,
        attributes: { ...settings.push.attributes },
        ...(settings.push.oidc && {
          oidcToken: {
            serviceAccountEmail: settings.push.oidc.email,
            audience: settings.push.oidc.audience,
          },
        }),
      }
    : {},
  ackDeadlineSeconds: settings.ackDeadlineMs / 1000,
  messageRetentionDuration: fromMs(settings.retentionMs),
  retainAckedMessages: settings.retainsAcked,
  detached: settings.isDetached,
  expirationPolicy: settings.expirationMs === 0 ? {} : { ttl: fromMs(settings.expirationMs) },
  labels: { ...settings.labels },
  enableMessageOrdering: settings.isOrdered,
  filter: settings.filter,
  ...(settings.deadLetter && {
    deadLetterPolicy: {
      deadLetterTopic: settings.deadLetter.topic,
      maxDeliveryAttempts: settings.deadLetter.maxDeliveryAttempts,
    },
  }),
  ...(settings.retry && {
    retryPolicy: {
      minimumBackoff: fromMs(settings.retry.minBackoffMs),
      maximumBackoff: fromMs(settings.retry.maxBackoffMs),
    },
  }),
  state: 'ACTIVE',
});
