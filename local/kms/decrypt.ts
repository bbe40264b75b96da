import { decipher, payload, versionOf } from './cipher.ts';
import { isVerified, toChecksum } from './crc32c.ts';
import { enabled } from './key.ts';
import type { KmsState } from './state.ts';
import type { DecryptRequest, DecryptResponse } from './wire.ts';

/** Finds the version by the ciphertext itself. */
export const decrypt =
  (state: KmsState) =>
  (request: DecryptRequest): DecryptResponse => {
    state.meter.count('kmsOperations');
    const key = state.key(request.name);
    const ciphertext =
      typeof request.ciphertext === 'string'
        ? Buffer.from(request.ciphertext, 'base64')
        : (request.ciphertext ?? new Uint8Array());
    const aad = payload('additional_authenticated_data', request.additionalAuthenticatedData);
    isVerified('ciphertext', ciphertext, request.ciphertextCrc32c);
    isVerified('additional_authenticated_data', aad, request.additionalAuthenticatedDataCrc32c);
    const version = enabled(key, versionOf(key, ciphertext));
    const plaintext = decipher(version, ciphertext, aad);
    return {
      plaintext,
      plaintextCrc32c: toChecksum(plaintext),
      usedPrimary: version.number === key.primary,
      protectionLevel: 'SOFTWARE',
    };
  };
