import { RpcError } from '../kernel/grpc.ts';
import { type VersionState, versionName, versionToWire } from './key.ts';
import type { KmsState } from './state.ts';
import type { UpdateVersionRequest, WireVersion } from './wire.ts';

const SWITCHABLE: readonly VersionState[] = ['ENABLED', 'DISABLED'];

/** Enables or disables a version; the other states have RPCs of their own. */
export const updateCryptoKeyVersion =
  (state: KmsState) =>
  (request: UpdateVersionRequest): WireVersion => {
    const { key, version } = state.version(request.cryptoKeyVersion?.name);
    const paths = request.updateMask?.paths ?? [];
    const wanted = SWITCHABLE.find((each) => each === request.cryptoKeyVersion?.state);
    if (paths.join(',') !== 'state' || !wanted)
      throw new RpcError('INVALID_ARGUMENT', 'Only state can be updated, to ENABLED or DISABLED.');
    if (!SWITCHABLE.includes(version.state))
      throw new RpcError(
        'FAILED_PRECONDITION',
        `${versionName(key, version)} cannot be updated, current state is: ${version.state}.`,
      );
    version.state = wanted;
    state.keep(key);
    return versionToWire(key, version);
  };
