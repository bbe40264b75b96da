import { RpcError } from '../kernel/grpc.ts';
import { fromMs } from '../kernel/proto-time.ts';
import type { WireKey, WireVersion } from './wire.ts';

export type VersionState = 'ENABLED' | 'DISABLED' | 'DESTROY_SCHEDULED' | 'DESTROYED';

export interface KeyVersion {
  readonly number: number;
  readonly createMs: number;
  state: VersionState;
  /** Empty once destroyed. */
  material: Uint8Array;
  /** When the material is, or was, destroyed. */
  destroyMs?: number;
}

/** A symmetric key with all its versions, as it is kept. */
export interface Key {
  readonly name: string;
  readonly createMs: number;
  readonly destroyDelayMs: number;
  readonly versions: KeyVersion[];
  primary: number | undefined;
  labels: Record<string, string>;
  rotationMs?: number;
  nextRotationMs?: number;
}

export const versionName = (key: Key, version: KeyVersion): string =>
  `${key.name}/cryptoKeyVersions/${version.number}`;

export const primaryOf = (key: Key): KeyVersion | undefined =>
  key.versions.find((version) => version.number === key.primary);

/** The version, if it may be used. */
export function enabled(key: Key, version: KeyVersion): KeyVersion {
  if (version.state === 'ENABLED') return version;
  throw new RpcError(
    'FAILED_PRECONDITION',
    `${versionName(key, version)} is not enabled, current state is: ${version.state}.`,
  );
}

export const versionToWire = (key: Key, version: KeyVersion): WireVersion => ({
  name: versionName(key, version),
  state: version.state,
  protectionLevel: 'SOFTWARE',
  algorithm: 'GOOGLE_SYMMETRIC_ENCRYPTION',
  createTime: fromMs(version.createMs),
  generateTime: fromMs(version.createMs),
  ...(version.destroyMs !== undefined &&
    (version.state === 'DESTROYED'
      ? { destroyEventTime: fromMs(version.destroyMs) }
      : { destroyTime: fromMs(version.destroyMs) })),
});

export function keyToWire(key: Key): WireKey {
  const primary = primaryOf(key);
  return {
    name: key.name,
    purpose: 'ENCRYPT_DECRYPT',
    createTime: fromMs(key.createMs),
    labels: { ...key.labels },
    versionTemplate: { protectionLevel: 'SOFTWARE', algorithm: 'GOOGLE_SYMMETRIC_ENCRYPTION' },
    destroyScheduledDuration: fromMs(key.destroyDelayMs),
    ...(primary && { primary: versionToWire(key, primary) }),
    ...(key.rotationMs !== undefined && { rotationPeriod: fromMs(key.rotationMs) }),
    ...(key.nextRotationMs !== undefined && { nextRotationTime: fromMs(key.nextRotationMs) }),
  };
}
