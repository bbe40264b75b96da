import { BlockList, isIP } from 'node:net';

/**
 * Address ranges no outbound call may reach: everything that is not the public Internet. From the
 * IANA special-purpose registries (RFC 6890 and its successors); the metadata server is link-local.
 */
const FORBIDDEN_IPV4: readonly (readonly [network: string, prefix: number])[] = [
  ['0.0.0.0', 8],
  ['10.0.0.0', 8],
  ['100.64.0.0', 10],
  ['127.0.0.0', 8],
  ['169.254.0.0', 16],
  ['172.16.0.0', 12],
  ['192.0.0.0', 24],
  ['192.0.2.0', 24],
  ['192.88.99.0', 24],
  ['192.168.0.0', 16],
  ['198.18.0.0', 15],
  ['198.51.100.0', 24],
  ['203.0.113.0', 24],
  ['224.0.0.0', 4],
  ['240.0.0.0', 4],
];

const FORBIDDEN_IPV6: readonly (readonly [network: string, prefix: number])[] = [
  // All but 2000::/3, the global unicast addresses: this covers loopback, the spellings of IPv4
  // (compatible, mapped, translated, NAT64), unique local, link-local and multicast.
  ['::', 3],
  ['4000::', 2],
  ['8000::', 1],
  // Teredo, ORCHID and other protocol assignments, documentation, 6to4.
  ['2001::', 23],
  ['2001:db8::', 32],
  ['2002::', 16],
  ['3fff::', 20],
];

function blockList(family: 'ipv4' | 'ipv6', ranges: typeof FORBIDDEN_IPV4): BlockList {
  const list = new BlockList();
  for (const [network, prefix] of ranges) list.addSubnet(network, prefix, family);
  return list;
}

// Apart, because one list would compare an IPv4 address, as a mapped one, with the IPv6 ranges.
const ipv4 = blockList('ipv4', FORBIDDEN_IPV4);
const ipv6 = blockList('ipv6', FORBIDDEN_IPV6);

/** True unless `address` is a literal of the public Internet; what is no address at all is forbidden. */
export function isForbiddenAddress(address: string): boolean {
  const bare = address.replace(/^\[|\]$/g, '').split('%', 1)[0] ?? '';
  const version = isIP(bare);
  if (version === 0) return true;
  return version === 4 ? ipv4.check(bare, 'ipv4') : ipv6.check(bare, 'ipv6');
}
