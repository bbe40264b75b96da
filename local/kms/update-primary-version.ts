import { enabled, keyToWire } from './key.ts';
import type { KmsState } from './state.ts';
import type { UpdatePrimaryRequest, WireKey } from './wire.ts';

export const updateCryptoKeyPrimaryVersion =
  (state: KmsState) =>
  (request: UpdatePrimaryRequest): WireKey => {
    const name = `${request.name ?? ''}/cryptoKeyVersions/${request.cryptoKeyVersionId ?? ''}`;
    const { key, version } = state.version(name);
    key.primary = enabled(key, version).number;
    state.keep(key);
    return keyToWire(key);
  };
