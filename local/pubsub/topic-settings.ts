import { RpcError } from '../kernel/grpc.ts';
import { fromMs, toMs } from '../kernel/proto-time.ts';
import { checkName } from './names.ts';
import type { WireTopic } from './wire.ts';

export interface Topic {
  readonly name: string;
  readonly labels: Readonly<Record<string, string>>;
  /** How long every message can be sought back to, acknowledged or not. */
  readonly retentionMs?: number;
}

const RETENTION_MS = { min: 600_000, max: 31 * 24 * 3_600_000 };

const NOT_IMITATED = [
  'schemaSettings',
  'ingestionDataSourceSettings',
  'messageStoragePolicy',
  'kmsKeyName',
] as const;

/** A retention of a topic or a subscription. */
export function parseRetention(retentionMs: number): number {
  if (retentionMs >= RETENTION_MS.min && retentionMs <= RETENTION_MS.max) return retentionMs;
  throw new RpcError(
    'INVALID_ARGUMENT',
    `Invalid message_retention_duration: ${retentionMs / 1000} s (must be 10 minutes to 31 days).`,
  );
}

export function parseTopic(wire: WireTopic): Topic {
  for (const field of NOT_IMITATED)
    if (wire[field]) throw new RpcError('UNIMPLEMENTED', `${field} is not imitated.`);
  if (wire.messageTransforms?.length)
    throw new RpcError('UNIMPLEMENTED', 'message_transforms are not imitated.');
  const retentionMs = toMs(wire.messageRetentionDuration);
  return {
    name: checkName('topics', wire.name),
    labels: { ...wire.labels },
    ...(retentionMs !== undefined && { retentionMs: parseRetention(retentionMs) }),
  };
}

export const topicToWire = (topic: Topic): WireTopic => ({
  name: topic.name,
  labels: { ...topic.labels },
  state: 'ACTIVE',
  ...(topic.retentionMs !== undefined && { messageRetentionDuration: fromMs(topic.retentionMs) }),
});
