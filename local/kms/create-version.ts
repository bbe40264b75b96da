import { versionToWire } from './key.ts';
import type { KmsState } from './state.ts';
import type { CreateVersionRequest, WireVersion } from './wire.ts';

/** The new version is not primary until it is made so. */
export const createCryptoKeyVersion =
  (state: KmsState) =>
  (request: CreateVersionRequest): WireVersion => {
    const key = state.key(request.parent);
    const version = state.addVersion(key);
    state.keep(key);
    return versionToWire(key, version);
  };
