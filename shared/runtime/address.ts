import type { IncomingMessage } from 'node:http';

/**
 * The client's address: `X-Forwarded-For` counted from the right, past the proxies that are ours. What
 * a client writes further left is its own claim and is not believed.
 *
 * @param trustedHops proxies of ours that append to the header; 0 takes the peer's address
 */
export function clientAddress(req: IncomingMessage, trustedHops: number): string {
  const peer = req.socket?.remoteAddress ?? 'unknown';
  if (trustedHops === 0) return peer;
  const header = [req.headers['x-forwarded-for'] ?? []].flat().join(',');
  const hops = header
    .split(',')
    .map((hop) => hop.trim())
    .filter(Boolean);
  return hops.at(-trustedHops) ?? peer;
}

/**
 * What limits are counted by: an IPv4 address, or the /64 of an IPv6 address, of which one client has
 * 2^64.
 */
export function networkOf(address: string): string {
  if (!address.includes(':') || address.includes('.')) return address;
  const [head = '', tail] = address.split('::', 2);
  const first = head === '' ? [] : head.split(':');
  const last = tail === undefined || tail === '' ? [] : tail.split(':');
  const zeros = Array.from({ length: Math.max(0, 8 - first.length - last.length) }, () => '0');
  return `${[...first, ...zeros, ...last].slice(0, 4).join(':')}::/64`;
}
