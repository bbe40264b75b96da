import { describe, expect, it } from 'vitest';

import { isForbiddenAddress } from '../../../shared/http/forbidden-address.ts';

describe('isForbiddenAddress', () => {
  it.each([
    '8.8.8.8',
    '93.184.216.34',
    '1.1.1.1',
    '100.63.255.255',
    '100.128.0.0',
    '169.253.255.255',
    '172.15.255.255',
    '172.32.0.0',
    '192.0.1.0',
    '198.20.0.0',
    '223.255.255.255',
    '2606:4700:4700::1111',
    '[2606:4700:4700::1111]',
    '2001:4860:4860::8888',
    '2003::1',
  ])('lets %s through: it is on the public Internet', (address) => {
    expect(isForbiddenAddress(address)).toBe(false);
  });

  it.each([
    ['this network', '0.0.0.0'],
    ['private', '10.255.255.255'],
    ['carrier-grade NAT', '100.64.0.1'],
    ['loopback', '127.255.255.254'],
    ['the metadata server', '169.254.169.254'],
    ['private', '172.31.255.255'],
    ['protocol assignments', '192.0.0.170'],
    ['documentation', '192.0.2.1'],
    ['6to4 relays', '192.88.99.1'],
    ['private', '192.168.1.1'],
    ['benchmarking', '198.19.255.255'],
    ['documentation', '198.51.100.1'],
    ['documentation', '203.0.113.1'],
    ['multicast', '224.0.0.1'],
    ['reserved', '240.0.0.1'],
    ['broadcast', '255.255.255.255'],
  ])('forbids %s %s', (_what, address) => {
    expect(isForbiddenAddress(address)).toBe(true);
  });

  it.each([
    ['unspecified', '::'],
    ['loopback', '::1'],
    ['loopback, written out', '0:0:0:0:0:0:0:1'],
    ['IPv4-compatible', '::127.0.0.1'],
    ['IPv4-mapped loopback', '::ffff:127.0.0.1'],
    ['IPv4-mapped loopback, in hexadecimal', '::ffff:7f00:1'],
    ['IPv4-mapped, although public', '::ffff:8.8.8.8'],
    ['IPv4-translated', '::ffff:0:127.0.0.1'],
    ['NAT64', '64:ff9b::7f00:1'],
    ['local NAT64', '64:ff9b:1::a00:1'],
    ['discard', '100::1'],
    ['Teredo', '2001:0:4136:e378:8000:63bf:3fff:fdd2'],
    ['ORCHID', '2001:20::1'],
    ['documentation', '2001:db8::1'],
    ['documentation', '3fff::1'],
    ['6to4 of loopback', '2002:7f00:1::'],
    ['6to4 of the metadata server', '2002:a9fe:a9fe::1'],
    ['segment routing', '5f00::1'],
    ['unique local', 'fc00::1'],
    ['the metadata server of another cloud', 'fd00:ec2::254'],
    ['link-local', 'fe80::1'],
    ['link-local with a zone', 'fe80::1%eth0'],
    ['site-local', 'fec0::1'],
    ['multicast', 'ff02::1'],
    ['in brackets', '[::1]'],
  ])('forbids %s %s', (_what, address) => {
    expect(isForbiddenAddress(address)).toBe(true);
  });

  it.each(['', 'localhost', 'example.com', '1.2.3', '256.1.1.1', '1::2::3'])(
    'forbids %j, which is no address',
    (text) => {
      expect(isForbiddenAddress(text)).toBe(true);
    },
  );
});
