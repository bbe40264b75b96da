import { z } from 'zod';

const PREFIX = 'whsec_';
const MIN_BYTES = 24;
const MAX_BYTES = 64;

const isLengthAllowed = (bytes: number): boolean => bytes >= MIN_BYTES && bytes <= MAX_BYTES;

/** A signing secret as Standard Webhooks has it: `whsec_` and the base64 of 24 to 64 bytes. */
export const WebhookSecret = z
  .string()
  .max(256)
  .refine((text) => {
    const encoded = text.startsWith(PREFIX) ? text.slice(PREFIX.length) : '';
    const key = Buffer.from(encoded, 'base64');
    return isLengthAllowed(key.length) && key.toString('base64') === encoded;
  }, `must be ${PREFIX} and the base64 of ${MIN_BYTES} to ${MAX_BYTES} bytes; leave it out to have one made`);

/**
 * @param random 24 to 64 random bytes
 * @throws {RangeError} for any other number of bytes
 */
export function newWebhookSecret(random: Uint8Array): string {
  if (!isLengthAllowed(random.length))
    throw new RangeError(`a webhook secret takes ${MIN_BYTES} to ${MAX_BYTES} random bytes`);
  return `${PREFIX}${Buffer.from(random).toString('base64')}`;
}

export const signingKeyOf = (secret: string): Buffer =>
  Buffer.from(secret.slice(PREFIX.length), 'base64');
