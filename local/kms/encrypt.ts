import { RpcError } from '../kernel/grpc.ts';
import { encipher, payload } from './cipher.ts';
import { isVerified, toChecksum } from './crc32c.ts';
import { enabled, primaryOf, versionName } from './key.ts';
import type { KmsState } from './state.ts';
import type { EncryptRequest, EncryptResponse } from './wire.ts';

/** Encrypts with the key's primary version, or with the version that is named. */
export const encrypt =
  (state: KmsState) =>
  (request: EncryptRequest): EncryptResponse => {
    state.meter.count('kmsOperations');
    const name = request.name ?? '';
    const { key, version } = name.includes('/cryptoKeyVersions/')
      ? state.version(name)
      : { key: state.key(name), version: primaryOf(state.key(name)) };
    if (!version)
      throw new RpcError('FAILED_PRECONDITION', `CryptoKey ${name} has no primary version.`);
    const plaintext = payload('plaintext', request.plaintext);
    const aad = payload('additional_authenticated_data', request.additionalAuthenticatedData);
    const verifiedPlaintextCrc32c = isVerified('plaintext', plaintext, request.plaintextCrc32c);
    const verifiedAdditionalAuthenticatedDataCrc32c = isVerified(
      'additional_authenticated_data',
      aad,
      request.additionalAuthenticatedDataCrc32c,
    );
    const ciphertext = encipher(enabled(key, version), plaintext, aad);
    return {
      name: versionName(key, version),
      ciphertext,
      ciphertextCrc32c: toChecksum(ciphertext),
      verifiedPlaintextCrc32c,
      verifiedAdditionalAuthenticatedDataCrc32c,
      protectionLevel: 'SOFTWARE',
    };
  };
