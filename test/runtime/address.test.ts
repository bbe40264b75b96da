import { get } from 'node:http';
import { describe, expect, it } from 'vitest';

import { clientAddress, networkOf } from '../../shared/runtime/address.ts';
import { serve } from './support/http-server.ts';

/** The address that a real server sees for a request with these `X-Forwarded-For` lines. */
async function addressOf(trustedHops: number, ...forwarded: string[]): Promise<string> {
  const url = await serve((req, res) => void res.end(clientAddress(req, trustedHops)));
  return new Promise((done, failed) => {
    get(url, { headers: { 'x-forwarded-for': forwarded } }, (res) => {
      res.setEncoding('utf8').on('data', done);
    }).on('error', failed);
  });
}

describe("the client's address", () => {
  it("is the peer's where no proxy is ours, whatever the header says", async () => {
    expect(await addressOf(0)).toBe('127.0.0.1');
    expect(await addressOf(0, '203.0.113.9')).toBe('127.0.0.1');
  });

  it('is what our last proxy appended, not what the client wrote further left', async () => {
    expect(await addressOf(1, '203.0.113.9')).toBe('203.0.113.9');
    expect(await addressOf(1, '1.2.3.4, 10.0.0.1, 203.0.113.9')).toBe('203.0.113.9');
    expect(await addressOf(2, '1.2.3.4, 203.0.113.9, 35.191.0.1')).toBe('203.0.113.9');
  });

  it('counts several header lines as one list', async () => {
    expect(await addressOf(1, '1.2.3.4', '203.0.113.9')).toBe('203.0.113.9');
    expect(await addressOf(2, '1.2.3.4', '203.0.113.9, 35.191.0.1')).toBe('203.0.113.9');
  });

  it('ignores blanks and empty entries', async () => {
    expect(await addressOf(1, ' 1.2.3.4 ,, 203.0.113.9 , ')).toBe('203.0.113.9');
  });

  it("is the peer's when fewer proxies appended than are ours", async () => {
    expect(await addressOf(1)).toBe('127.0.0.1');
    expect(await addressOf(2, '203.0.113.9')).toBe('127.0.0.1');
  });
});

describe('the network that limits are counted by', () => {
  it.each([
    ['203.0.113.9', '203.0.113.9'],
    ['2001:db8:1:2:3:4:5:6', '2001:db8:1:2::/64'],
    ['2001:db8:1:2:ffff::1', '2001:db8:1:2::/64'],
    ['2001:db8::1', '2001:db8:0:0::/64'],
    ['::1', '0:0:0:0::/64'],
    ['::ffff:203.0.113.9', '::ffff:203.0.113.9'],
  ])('of %s is %s', (address, network) => {
    expect(networkOf(address)).toBe(network);
  });
});
