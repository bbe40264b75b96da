import { isIP } from 'node:net';

import { isForbiddenAddress } from './forbidden-address.ts';

/** Ports that outbound calls may use. */
const PORTS = new Set(['', '443', '8443']);

/**
 * Checks a URL before anything is resolved or sent: scheme, credentials, port and literal addresses.
 * What a name resolves to is checked when connecting.
 *
 * @param insecure permits http, any port and any address: local development only
 * @returns why it is forbidden, or the parsed URL
 */
export function checkTarget(text: string, insecure: boolean): { url: URL } | { reason: string } {
  if (!URL.canParse(text)) return { reason: 'is not a URL' };
  const url = new URL(text);
  if (url.protocol !== 'https:' && !(insecure && url.protocol === 'http:'))
    return { reason: insecure ? 'must use http or https' : 'must use https' };
  if (url.username !== '' || url.password !== '') return { reason: 'must not hold credentials' };
  if (insecure) return { url };
  if (!PORTS.has(url.port)) return { reason: 'must use port 443 or 8443' };
  const host = url.hostname.replace(/^\[|\]$/g, '');
  // The URL parser has already brought octal, hexadecimal and short forms into dotted quads.
  if (isIP(host) !== 0 ? isForbiddenAddress(host) : isLocalName(host))
    return { reason: 'must be a public address' };
  return { url };
}

/** Names that never leave the machine or the network; resolving them would prove the same, later. */
const isLocalName = (host: string): boolean =>
  /(^|\.)(localhost|local|internal|home\.arpa)\.*$/.test(host) ||
  !host.replace(/\.+$/, '').includes('.');
