import type { LookupAddress } from 'node:dns';
import { createServer } from 'node:net';
import { once } from 'node:events';
import { describe, expect, it, onTestFinished } from 'vitest';

import { createOutbound } from '../../shared/http/outbound.ts';
import type { OutboundRequest } from '../../shared/runtime/services.ts';
import { serve } from './support/http-server.ts';
import { startTlsAgent } from './support/tls-agent.ts';

const get = (url: string, more: Partial<OutboundRequest> = {}): OutboundRequest => ({
  url,
  method: 'GET',
  timeoutMs: 5_000,
  ...more,
});

function outbound(insecure: boolean, answers?: readonly LookupAddress[]) {
  const config = { allow_insecure_endpoints: insecure };
  const made = answers
    ? createOutbound(config, (_name, _options, done) => done(null, [...answers]))
    : createOutbound(config);
  onTestFinished(() => made.close());
  return made;
}

const ipv4 = (address: string): LookupAddress => ({ address, family: 4 });
const NOT_PUBLIC = { kind: 'forbidden', reason: 'resolves to an address that is not public' };

describe('under the egress policy', () => {
  it('a target that the URL alone forbids is refused, and nothing reaches it', async () => {
    const reached: string[] = [];
    const url = await serve((req, res) => void (reached.push(req.url ?? ''), res.end()));
    const out = outbound(false);
    expect(await out.request(get(url))).toEqual({ kind: 'forbidden', reason: 'must use https' });
    expect(await out.request(get(url.replace('http:', 'https:')))).toEqual({
      kind: 'forbidden',
      reason: 'must use port 443 or 8443',
    });
    expect(reached).toEqual([]);
  });

  it.each([
    ['only a private address', [ipv4('10.1.2.3')]],
    ['a public address and a private one', [ipv4('93.184.216.34'), ipv4('127.0.0.1')]],
    ['a private address and a public one', [ipv4('192.168.0.1'), ipv4('93.184.216.34')]],
    ['the metadata server', [ipv4('169.254.169.254')]],
    ['a mapped address', [{ address: '::ffff:127.0.0.1', family: 6 }]],
    ['no address', []],
  ])('a name that resolves to %s is refused', async (_what, answers) => {
    const out = outbound(false, answers);
    expect(await out.request(get('https://agents.example.com/'))).toEqual(NOT_PUBLIC);
  });

  it('a name that cannot be resolved is a connection error', async () => {
    const made = createOutbound({ allow_insecure_endpoints: false }, (_name, _options, done) =>
      done(new Error('ENOTFOUND'), []),
    );
    expect(await made.request(get('https://agents.example.com/'))).toEqual({
      kind: 'failed',
      reason: 'connection_error',
    });
    await made.close();
  });

  it('the address really connected to is checked again, after every answer looked public', async () => {
    const { address, requests } = await startTlsAgent();
    let readings = 0;
    const changing: LookupAddress = {
      family: 4,
      get address() {
        return readings++ === 0 ? '93.184.216.34' : address;
      },
    };
    const out = outbound(false, [changing]);
    expect(await out.request(get('https://agents.example.com:8443/secret'))).toEqual({
      kind: 'forbidden',
      reason: 'connected to an address that is not public',
    });
    expect(readings).toBeGreaterThan(1);
    expect(requests).toEqual([]);
  });
});

describe('an outbound call', () => {
  it('sends method, headers and body and returns status, headers and body', async () => {
    const url = await serve((req, res) => {
      req.setEncoding('utf8').on('data', (text) => {
        res.writeHead(202, { 'x-seen': `${req.method} ${String(req.headers['x-mine'])} ${text}` });
        res.end('thanks');
      });
    });
    const result = await outbound(true).request(
      get(url, { method: 'POST', headers: { 'x-mine': 'yes' }, body: 'hello' }),
    );
    expect(result).toMatchObject({
      kind: 'response',
      status: 202,
      headers: { 'x-seen': 'POST yes hello' },
      body: 'thanks',
    });
  });

  it('reports an error status as the answer that it is', async () => {
    const url = await serve((_req, res) => void res.writeHead(503).end('busy'));
    expect(await outbound(true).request(get(url))).toMatchObject({
      kind: 'response',
      status: 503,
      body: 'busy',
    });
  });

  it('follows no redirect', async () => {
    const seen: string[] = [];
    const url = await serve((req, res) => {
      seen.push(req.url ?? '');
      res.writeHead(302, { location: '/inside' }).end();
    });
    expect(await outbound(true).request(get(`${url}/start`))).toMatchObject({
      kind: 'response',
      status: 302,
      headers: { location: '/inside' },
    });
    expect(seen).toEqual(['/start']);
  });

  it.each([
    ['announced by Content-Length', true],
    ['streamed', false],
  ])('reads no answer beyond its limit, %s', async (_how, announced) => {
    const url = await serve((_req, res) => {
      if (announced) res.setHeader('content-length', 11);
      res.write('01234567890'.slice(0, 5));
      res.end('01234567890'.slice(5));
    });
    const out = outbound(true);
    expect(await out.request(get(url, { responseBytesMax: 10 }))).toEqual({
      kind: 'failed',
      reason: 'response_too_large',
    });
    expect(await out.request(get(url, { responseBytesMax: 11 }))).toMatchObject({
      kind: 'response',
      body: '01234567890',
    });
  });

  it('stops an endless answer at 64 KiB when no limit is given', async () => {
    let stopped = false;
    const url = await serve((_req, res) => {
      const more = () => void (stopped || res.write(Buffer.alloc(16_384), more));
      res.on('close', () => (stopped = true));
      more();
    });
    expect(await outbound(true).request(get(url))).toEqual({
      kind: 'failed',
      reason: 'response_too_large',
    });
    await expect.poll(() => stopped).toBe(true);
  });

  it.each([
    ['nothing', () => undefined],
    ['only headers', (res: { flushHeaders: () => void }) => res.flushHeaders()],
    ['half a body', (res: { write: (text: string) => void }) => res.write('half')],
  ])('times out when %s comes', async (_what, answer) => {
    const url = await serve((_req, res) => answer(res));
    expect(await outbound(true).request(get(url, { timeoutMs: 100 }))).toEqual({
      kind: 'failed',
      reason: 'timeout',
    });
  });

  it('reports a connection that is refused', async () => {
    const server = createServer().listen(0, '127.0.0.1');
    await once(server, 'listening');
    const address = server.address();
    const port = typeof address === 'object' ? address?.port : 0;
    await new Promise((done) => server.close(done));
    expect(await outbound(true).request(get(`http://127.0.0.1:${port}/`))).toEqual({
      kind: 'failed',
      reason: 'connection_error',
    });
  });

  it('reports a connection that is cut or does not speak HTTP', async () => {
    const cutting = await serve((req) => void req.socket.destroy());
    const out = outbound(true);
    const refused = { kind: 'failed', reason: 'connection_error' };
    expect(await out.request(get(cutting))).toEqual(refused);

    const server = createServer((socket) => void socket.end('SSH-2.0-x\r\n')).listen(
      0,
      '127.0.0.1',
    );
    onTestFinished(() => void server.close());
    await once(server, 'listening');
    const address = server.address();
    const port = typeof address === 'object' ? address?.port : 0;
    expect(await out.request(get(`http://127.0.0.1:${port}/`))).toEqual(refused);
  });

  it('never throws for headers that cannot be sent', async () => {
    const url = await serve((_req, res) => void res.end());
    expect(await outbound(true).request(get(url, { headers: { 'x-a': 'b\r\nc: d' } }))).toEqual({
      kind: 'failed',
      reason: 'connection_error',
    });
  });
});

describe('status and headers alone', () => {
  it('come from a server that never ends its answer', async () => {
    const url = await serve((_req, res) => {
      res.writeHead(200, { 'content-type': 'text/event-stream' });
      res.flushHeaders();
    });
    const answer = await outbound(true).request(get(url, { responseBytesMax: 0 }));
    expect(answer).toMatchObject({ kind: 'response', status: 200, body: '' });
  });
});
