import { createCipheriv, createDecipheriv } from 'node:crypto';
import { z } from 'zod';

import type { Config } from '../runtime/config.ts';
import type { Services, Store, Vault } from '../runtime/services.ts';
import { collection, ref } from '../store/collection.ts';
import type { Clients } from './clients.ts';
import { crc32c } from './crc32c.ts';

/** A data key as it is stored: wrapped by KMS. */
const DataKey = z.object({ wrapped: z.string(), created_at: z.string() });
const dataKeys = collection('data_keys', DataKey);

/** The one data key that small secrets such as webhook secrets share. */
const DATA_KEY_ID = 'shared-1';
/** How long an instance keeps the unwrapped key: one KMS operation per instance and five minutes. */
const CACHE_MS = 5 * 60_000;
const IV_BYTES = 12;
const TAG_BYTES = 16;

/** AES-256-GCM under a shared data key that KMS wraps; `aad` binds a secret to its owner. */
export function createVault(
  clients: Clients,
  store: Store,
  config: Config,
  { now, randomBytes }: Pick<Services, 'now' | 'randomBytes'>,
): Vault {
  const bound = (aad: string) => Buffer.from(`${config.environment}|${DATA_KEY_ID}|${aad}`);
  const wrapAad = bound('data-key');
  let cached: { key: Promise<Buffer>; untilMs: number } | undefined;

  async function wrap(plaintext: Buffer): Promise<string> {
    const kms = await clients.kms();
    const [answer] = await kms.encrypt({
      name: config.kms_key,
      plaintext,
      plaintextCrc32c: { value: crc32c(plaintext) },
      additionalAuthenticatedData: wrapAad,
      additionalAuthenticatedDataCrc32c: { value: crc32c(wrapAad) },
    });
    const ciphertext = Buffer.from(answer.ciphertext as Uint8Array);
    if (
      !answer.verifiedPlaintextCrc32c ||
      Number(answer.ciphertextCrc32c?.value) !== crc32c(ciphertext)
    )
      throw new Error('KMS encrypt: a checksum did not match');
    return ciphertext.toString('base64');
  }

  async function unwrap(wrapped: string): Promise<Buffer> {
    const kms = await clients.kms();
    const ciphertext = Buffer.from(wrapped, 'base64');
    const [answer] = await kms.decrypt({
      name: config.kms_key,
      ciphertext,
      ciphertextCrc32c: { value: crc32c(ciphertext) },
      additionalAuthenticatedData: wrapAad,
      additionalAuthenticatedDataCrc32c: { value: crc32c(wrapAad) },
    });
    const plaintext = Buffer.from(answer.plaintext as Uint8Array);
    if (Number(answer.plaintextCrc32c?.value) !== crc32c(plaintext))
      throw new Error('KMS decrypt: a checksum did not match');
    return plaintext;
  }

  async function load(): Promise<Buffer> {
    const at = ref(dataKeys, DATA_KEY_ID);
    const found = await store.get(at);
    if (found) return unwrap(found.wrapped);
    const fresh = Buffer.from(randomBytes(32));
    const created = await store.append(at, {
      wrapped: await wrap(fresh),
      created_at: now().toISOString(),
    });
    if (created) return fresh;
    // Another instance was first, or our own acknowledgement was lost: what is stored decides.
    const stored = await store.get(at);
    if (!stored) throw new Error('the data key vanished while it was made');
    return unwrap(stored.wrapped);
  }

  async function dataKey(): Promise<Buffer> {
    if (!cached || cached.untilMs <= now().getTime()) {
      const entry = { key: load(), untilMs: now().getTime() + CACHE_MS };
      cached = entry;
      // A failure is not kept, or one KMS hiccup would poison the instance.
      entry.key.catch(() => {
        if (cached === entry) cached = undefined;
      });
    }
    return cached.key;
  }

  return {
    async seal(plaintext, aad) {
      const iv = randomBytes(IV_BYTES);
      const cipher = createCipheriv('aes-256-gcm', await dataKey(), iv).setAAD(bound(aad));
      const body = Buffer.concat([cipher.update(plaintext, 'utf8'), cipher.final()]);
      return `v1.${Buffer.concat([iv, body, cipher.getAuthTag()]).toString('base64url')}`;
    },
    async open(sealed, aad) {
      const [version, encoded] = sealed.split('.');
      if (version !== 'v1' || !encoded) throw new Error('not a sealed secret');
      const bytes = Buffer.from(encoded, 'base64url');
      const decipher = createDecipheriv('aes-256-gcm', await dataKey(), bytes.subarray(0, IV_BYTES))
        .setAAD(bound(aad))
        .setAuthTag(bytes.subarray(-TAG_BYTES));
      const body = decipher.update(bytes.subarray(IV_BYTES, -TAG_BYTES));
      return Buffer.concat([body, decipher.final()]).toString('utf8');
    },
  };
}
