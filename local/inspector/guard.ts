import { createHash, timingSafeEqual } from 'node:crypto';
import type { IncomingMessage } from 'node:http';

import { Refusal } from './answer.ts';

const LOOPBACK_NAMES = new Set(['127.0.0.1', 'localhost', '[::1]']);

const hostnameOf = (host: string | undefined): string | undefined =>
  host !== undefined && URL.canParse(`http://${host}`)
    ? new URL(`http://${host}`).hostname
    : undefined;

const sha256 = (text: string) => createHash('sha256').update(text).digest();

/**
 * Only loopback connects, but a browser on this machine does so for any page. One that had its own name
 * resolve to loopback (DNS rebinding) shows in `Host`.
 */
export function checkHost({ headers }: IncomingMessage): void {
  if (LOOPBACK_NAMES.has(hostnameOf(headers.host) ?? '')) return;
  throw new Refusal(403, 'forbidden', 'The inspector answers as 127.0.0.1 or localhost only.');
}

/** Refuses what another site's page sends; the inspector's own page and programs pass. */
export function checkOrigin({ headers }: IncomingMessage): void {
  const { origin, host, 'sec-fetch-site': site = 'none' } = headers;
  const isOwn = origin === undefined || origin === `http://${host}`;
  if (isOwn && ['same-origin', 'none'].includes(String(site))) return;
  throw new Refusal(403, 'forbidden', 'The inspector takes requests from its own page only.');
}

/** Documents hold tenants' data, so reading takes the operator key as well. */
export function checkKey({ headers }: IncomingMessage, operatorKey: string): void {
  const given = headers['x-operator-key'];
  if (typeof given === 'string' && timingSafeEqual(sha256(given), sha256(operatorKey))) return;
  const message =
    given === undefined
      ? 'Send the operator key, which `npm start` prints, as X-Operator-Key.'
      : 'The X-Operator-Key is not the one that `npm start` printed.';
  throw new Refusal(401, 'invalid_api_key', message);
}
