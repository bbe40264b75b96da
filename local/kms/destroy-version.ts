import { RpcError } from '../kernel/grpc.ts';
import { versionName, versionToWire } from './key.ts';
import type { KmsState } from './state.ts';
import type { NamedRequest, WireVersion } from './wire.ts';

/** The material is destroyed only after the key's delay, until when the version can be restored. */
export const destroyCryptoKeyVersion =
  (state: KmsState) =>
  (request: NamedRequest): WireVersion => {
    const { key, version } = state.version(request.name);
    if (version.state === 'DESTROYED' || version.state === 'DESTROY_SCHEDULED')
      throw new RpcError(
        'FAILED_PRECONDITION',
        `${versionName(key, version)} cannot be destroyed, current state is: ${version.state}.`,
      );
    version.state = 'DESTROY_SCHEDULED';
    version.destroyMs = state.clock.nowMs() + key.destroyDelayMs;
    state.keep(key);
    return versionToWire(key, version);
  };

export const restoreCryptoKeyVersion =
  (state: KmsState) =>
  (request: NamedRequest): WireVersion => {
    const { key, version } = state.version(request.name);
    if (version.state !== 'DESTROY_SCHEDULED')
      throw new RpcError(
        'FAILED_PRECONDITION',
        `${versionName(key, version)} is not scheduled for destruction.`,
      );
    version.state = 'DISABLED';
    delete version.destroyMs;
    state.keep(key);
    return versionToWire(key, version);
  };
