import { createCipheriv, createDecipheriv, randomBytes } from 'node:crypto';

import { RpcError } from '../kernel/grpc.ts';
import type { Key, KeyVersion } from './key.ts';

/** A ciphertext is: version number (4 bytes), nonce, encrypted text, tag. */
const VERSION_BYTES = 4;
const NONCE_BYTES = 12;
const TAG_BYTES = 16;
const HEADER_BYTES = VERSION_BYTES + NONCE_BYTES;
const ALGORITHM = 'aes-256-gcm';

const PAYLOAD_BYTES_MAX = 64 * 1024;

const undecipherable = () =>
  new RpcError(
    'INVALID_ARGUMENT',
    "Decryption failed: verify that 'name' refers to the correct CryptoKey.",
  );

/** A request's bytes field, at most 64 KiB. */
export function payload(field: string, value: string | Uint8Array | null | undefined): Uint8Array {
  const bytes = typeof value === 'string' ? Buffer.from(value, 'base64') : value;
  if (!bytes) return new Uint8Array();
  if (bytes.length <= PAYLOAD_BYTES_MAX) return bytes;
  throw new RpcError(
    'INVALID_ARGUMENT',
    `The ${field} is ${bytes.length} bytes, but at most ${PAYLOAD_BYTES_MAX} are allowed.`,
  );
}

export function encipher(version: KeyVersion, plaintext: Uint8Array, aad: Uint8Array): Buffer {
  const header = Buffer.alloc(VERSION_BYTES);
  header.writeUInt32BE(version.number);
  const nonce = randomBytes(NONCE_BYTES);
  const cipher = createCipheriv(ALGORITHM, version.material, nonce);
  cipher.setAAD(aad);
  const encrypted = [cipher.update(plaintext), cipher.final()];
  return Buffer.concat([header, nonce, ...encrypted, cipher.getAuthTag()]);
}

/** Which version enciphered it. */
export function versionOf(key: Key, ciphertext: Uint8Array): KeyVersion {
  if (ciphertext.length < HEADER_BYTES + TAG_BYTES) throw undecipherable();
  const number = Buffer.from(ciphertext).readUInt32BE();
  const version = key.versions.find((each) => each.number === number);
  if (!version) throw undecipherable();
  return version;
}

export function decipher(version: KeyVersion, ciphertext: Uint8Array, aad: Uint8Array): Buffer {
  const nonce = ciphertext.subarray(VERSION_BYTES, HEADER_BYTES);
  const decipher = createDecipheriv(ALGORITHM, version.material, nonce);
  decipher.setAAD(aad);
  decipher.setAuthTag(ciphertext.subarray(-TAG_BYTES));
  try {
    const text = ciphertext.subarray(HEADER_BYTES, -TAG_BYTES);
    return Buffer.concat([decipher.update(text), decipher.final()]);
  } catch {
    throw undecipherable();
  }
}
