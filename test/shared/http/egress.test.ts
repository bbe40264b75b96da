import fc from 'fast-check';
import { describe, expect, it } from 'vitest';

import { checkTarget } from '../../../shared/http/egress.ts';

const NOT_PUBLIC = { reason: 'must be a public address' };

describe('a target under the egress policy', () => {
  it.each([
    'https://agents.example.com/hook',
    'https://agents.example.com:443/',
    'https://agents.example.com:8443/hook?x=1',
    'https://agents.example.com./hook',
    'https://93.184.216.34/',
    'https://[2606:4700:4700::1111]/',
    'https://localhost.example.com/',
    'https://internal-tools.example.com/',
  ])('may be %s', (text) => {
    expect(checkTarget(text, false)).toEqual({ url: new URL(text) });
  });

  it.each(['', 'not a url', '//example.com/', '/hook', 'https://', 'https://exa mple.com/'])(
    'is a URL, unlike %j',
    (text) => {
      expect(checkTarget(text, false)).toEqual({ reason: 'is not a URL' });
    },
  );

  it.each([
    'http://example.com/',
    'ftp://example.com/',
    'file:///etc/passwd',
    'gopher://example.com/',
    'data:text/plain,hello',
    'javascript:alert(1)',
    'ws://example.com/',
  ])('uses https, unlike %s', (text) => {
    expect(checkTarget(text, false)).toEqual({ reason: 'must use https' });
  });

  it.each(['https://user@example.com/', 'https://user:word@example.com/', 'https://:word@a.com/'])(
    'holds no credentials, unlike %s',
    (text) => {
      expect(checkTarget(text, false)).toEqual({ reason: 'must not hold credentials' });
      expect(checkTarget(text, true)).toEqual({ reason: 'must not hold credentials' });
    },
  );

  it.each(['https://example.com:22/', 'https://example.com:80/', 'https://example.com:6379/'])(
    'uses port 443 or 8443, unlike %s',
    (text) => {
      expect(checkTarget(text, false)).toEqual({ reason: 'must use port 443 or 8443' });
    },
  );

  it.each([
    ['dotted', '127.0.0.1'],
    ['dotted, with a trailing dot', '127.0.0.1.'],
    ['short', '127.1'],
    ['decimal', '2130706433'],
    ['hexadecimal', '0x7f000001'],
    ['dotted hexadecimal', '0x7f.0x0.0x0.0x1'],
    ['octal', '0177.0.0.1'],
    ['mixed', '0x7f.1'],
    ['full-width', '１２７.０.０.１'],
    ['percent-encoded', '%31%32%37.0.0.1'],
    ['private', '10.0.0.5'],
    ['the metadata server', '169.254.169.254'],
    ['the metadata server in decimal', '2852039166'],
    ['the metadata server in hexadecimal', '0xA9FEA9FE'],
  ])('is no forbidden IPv4 address, %s: %s', (_spelling, host) => {
    expect(checkTarget(`https://${host}/`, false)).toEqual(NOT_PUBLIC);
  });

  it.each([
    '::1',
    '::',
    '::ffff:127.0.0.1',
    '::ffff:a9fe:a9fe',
    '64:ff9b::169.254.169.254',
    '2002:7f00:1::',
    'fd00::1',
    'fe80::1',
  ])('is no forbidden IPv6 address: %s', (host) => {
    expect(checkTarget(`https://[${host}]/`, false)).toEqual(NOT_PUBLIC);
  });

  it.each([
    'localhost',
    'LOCALHOST',
    'localhost.',
    'localhost..',
    'api.localhost',
    'printer.local',
    'router.home.arpa',
    'metadata.google.internal',
    'metadata.google.internal.',
    'Metadata.Google.Internal',
    'metadata',
    'metadata.',
    'intranet',
  ])('is no name that stays inside: %s', (host) => {
    expect(checkTarget(`https://${host}/`, false)).toEqual(NOT_PUBLIC);
  });

  it('is refused in every numeric spelling of every forbidden IPv4 address', () => {
    const forbidden = fc.tuple(
      fc.constantFrom(
        0x0a000000,
        0x7f000000,
        0xa9fe0000,
        0xac100000,
        0xc0a80000,
        0x64400000,
        0xe0000000,
      ),
      fc.nat(0xffff),
    );
    const spellings = [
      (n: number) => String(n),
      (n: number) => `0x${n.toString(16)}`,
      (n: number) => `0${n.toString(8)}`,
      (n: number) => `${n >>> 24}.${n & 0xffffff}`,
      (n: number) => `0${(n >>> 24).toString(8)}.0x${((n >>> 16) & 255).toString(16)}.${n & 65535}`,
    ];
    fc.assert(
      fc.property(forbidden, fc.constantFrom(...spellings), ([network, host], spell) => {
        expect(checkTarget(`https://${spell(network + host)}/`, false)).toEqual(NOT_PUBLIC);
      }),
    );
  });
});

describe('with insecure endpoints allowed', () => {
  it.each([
    'http://127.0.0.1:9000/hook',
    'http://localhost:9000/',
    'https://[::1]:9000/',
    'https://intranet/',
  ])('a target may be %s', (text) => {
    expect(checkTarget(text, true)).toEqual({ url: new URL(text) });
  });

  it.each(['ftp://127.0.0.1/', 'file:///etc/passwd'])('a target is still not %s', (text) => {
    expect(checkTarget(text, true)).toEqual({ reason: 'must use http or https' });
  });
});
