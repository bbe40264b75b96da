import { timingSafeEqual } from 'node:crypto';

import { type SignedHeaders, signature } from './sign.ts';

/** How far the sender's clock may be off, either way; as Standard Webhooks recommends. */
const TOLERANCE_S = 300;

/** Whether a webhook was signed with one of `secrets` within the last five minutes. */
export function isAuthentic(
  headers: SignedHeaders,
  body: string,
  secrets: readonly string[],
  at: Date,
): boolean {
  const timestamp = headers['webhook-timestamp'];
  if (!/^\d{1,12}$/.test(timestamp)) return false;
  if (Math.abs(at.getTime() / 1_000 - Number(timestamp)) > TOLERANCE_S) return false;
  const given = headers['webhook-signature']
    .split(' ')
    .filter((part) => part.startsWith('v1,'))
    .map((part) => Buffer.from(part.slice('v1,'.length), 'base64'));
  return secrets.some((secret) => {
    const expected = signature(headers['webhook-id'], timestamp, body, secret);
    return given.some((one) => one.length === expected.length && timingSafeEqual(one, expected));
  });
}
