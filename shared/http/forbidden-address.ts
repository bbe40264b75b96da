import { BlockList, isIP } from 'node:net';

/**
 * Address ranges no outbound call may reach: everything that is not the public Internet. From the
 * IANA special-purpose registries (RFC 6890 and its successors); the metadata server is link-local.
 */
const FORBIDDEN: readonly (readonly [network: string, prefix: number, family: 'ipv4' | 'ipv6'])[] =
  [
    ['0.0.0.0', 8, 'ipv4'],
    ['10.0.0.0', 8, 'ipv4'],
    ['100.64.0.0', 10, 'ipv4'],
    ['127.0.0.0', 8, 'ipv4'],
    ['169.254.0.0', 16, 'ipv4'],
    ['172.16.0.0', 12, 'ipv4'],
    ['192.0.0.0', 24, 'ipv4'],
    ['192.0.2.0', 24, 'ipv4'],
    ['192.88.99.0', 24, 'ipv4'],
    ['192.168.0.0', 16, 'ipv4'],
    ['198.18.0.0', 15, 'ipv4'],
    ['198.51.100.0', 24, 'ipv4'],
    ['203.0.113.0', 24, 'ipv4'],
    ['224.0.0.0', 4, 'ipv4'],
    ['240.0.0.0', 4, 'ipv4'],
    ['::', 128, 'ipv6'],
    ['::1', 128, 'ipv6'],
    // IPv4-compatible and IPv4-mapped: other spellings of IPv4.
    ['::', 96, 'ipv6'],
    ['::ffff:0:0', 96, 'ipv6'],
    // NAT64, local NAT64, discard, Teredo, ORCHID, documentation, 6to4.
    ['64:ff9b::', 96, 'ipv6'],
    ['64:ff9b:1::', 48, 'ipv6'],
    ['100::', 64, 'ipv6'],
    ['2001::', 23, 'ipv6'],
    ['2001:db8::', 32, 'ipv6'],
    ['2002::', 16, 'ipv6'],
    ['3fff::', 20, 'ipv6'],
    ['5f00::', 16, 'ipv6'],
    // Unique local, link-local, site-local (deprecated), multicast.
    ['fc00::', 7, 'ipv6'],
    ['fe80::', 10, 'ipv6'],
    ['fec0::', 10, 'ipv6'],
    ['ff00::', 8, 'ipv6'],
  ];

const blocked = new BlockList();
for (const [network, prefix, family] of FORBIDDEN) blocked.addSubnet(network, prefix, family);

/** True unless `address` is a literal of the public Internet; what is no address at all is forbidden. */
export function isForbiddenAddress(address: string): boolean {
  const bare = address.replace(/^\[|\]$/g, '').split('%', 1)[0] ?? '';
  const version = isIP(bare);
  if (version === 0) return true;
  return blocked.check(bare, version === 4 ? 'ipv4' : 'ipv6');
}
