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
