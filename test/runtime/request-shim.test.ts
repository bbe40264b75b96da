import { type Request, type Response, http } from '@google-cloud/functions-framework';
import { getTestServer } from '@google-cloud/functions-framework/testing';
import { connect } from 'node:net';
import { gzipSync } from 'node:zlib';
import { beforeEach, describe, expect, it } from 'vitest';

import {
  BODY_BYTES_MAX,
  type ShimmedRequest,
  shimNextServer,
} from '../../shared/runtime/request-shim.ts';
import { listen } from './support/http-server.ts';

const JSON_TYPE = { 'content-type': 'application/json' };

let handled: { body: unknown; rawBody: Buffer | undefined; requestId: string }[] = [];

http('echo', (req: Request, res: Response) => {
  const { body, rawBody, requestId } = req as unknown as ShimmedRequest;
  handled.push({ body, rawBody, requestId });
  res.json({ body: body ?? null });
});

let url: string;

beforeEach(async () => {
  handled = [];
  shimNextServer();
  url = await listen(getTestServer('echo'));
});

const post = (
  body: string | Uint8Array<ArrayBuffer>,
  headers: Record<string, string> = JSON_TYPE,
) => fetch(url, { method: 'POST', headers, body });

/** Sends bytes as they are, so that a request may stay unfinished; resolves with all that came back. */
function sendRaw(head: readonly string[], more: (write: (bytes: Buffer) => boolean) => void) {
  return new Promise<string>((done, failed) => {
    const socket = connect(Number(new URL(url).port), '127.0.0.1');
    let answer = '';
    socket.setEncoding('latin1').on('data', (text) => (answer += text));
    socket.on('close', () => done(answer));
    // The server may cut off what we still send.
    socket.on('error', () => (answer === '' ? failed(new Error('no answer')) : undefined));
    socket.write(`${head.join('\r\n')}\r\n\r\n`);
    more((bytes) => socket.writable && socket.write(bytes));
  });
}

/** Holds that the handler was not reached and the refusal is in our envelope; status, code and message. */
async function refusalOf(response: globalThis.Response): Promise<[number, string, string]> {
  const { error } = (await response.json()) as { error: { code: string; message: string } };
  expect(response.headers.get('content-type')).toBe('application/json; charset=utf-8');
  expect(error).toEqual({
    code: expect.any(String),
    message: expect.any(String),
    request_id: response.headers.get('x-request-id'),
  });
  expect(handled).toEqual([]);
  return [response.status, error.code, error.message];
}

describe('a body', () => {
  it('reaches the handler parsed, with its bytes beside it', async () => {
    const text = '{ "a": [1, "zwölf"] }';
    const response = await post(text);
    expect(await response.json()).toEqual({ body: { a: [1, 'zwölf'] } });
    expect(handled[0]?.rawBody?.toString('utf8')).toBe(text);
  });

  it.each(['application/json; charset=utf-8', 'Application/JSON', 'application/cloudevents+json'])(
    'may come as %s',
    async (type) => {
      const response = await post('{"a":1}', { 'content-type': type });
      expect(await response.json()).toEqual({ body: { a: 1 } });
    },
  );

  it('may be absent', async () => {
    expect((await fetch(url)).status).toBe(200);
    expect((await fetch(url, { method: 'POST' })).status).toBe(200);
    expect(handled.map(({ body }) => body)).toEqual([undefined, undefined]);
  });

  it.each(['text/plain', 'application/x-www-form-urlencoded', 'multipart/form-data; boundary=x'])(
    'is refused as %s with 415',
    async (type) => {
      const response = await post('{"a":1}', { 'content-type': type });
      expect(await refusalOf(response)).toMatchObject([
        415,
        'unsupported_media_type',
        expect.any(String),
      ]);
    },
  );

  it('is refused without a content type with 415', async () => {
    const response = await post(Buffer.from('{}'), {});
    expect(await refusalOf(response)).toMatchObject([
      415,
      'unsupported_media_type',
      expect.any(String),
    ]);
  });

  it('is refused compressed with 415, so that none can unfold into a large one', async () => {
    const response = await post(gzipSync('{"a":1}'), { ...JSON_TYPE, 'content-encoding': 'gzip' });
    expect(await refusalOf(response)).toMatchObject([
      415,
      'unsupported_media_type',
      expect.any(String),
    ]);
  });

  it.each([
    ['{"a":', 'Unexpected end of JSON input'],
    ['{"a":1}}', 'Unexpected non-whitespace character after JSON at position 7'],
    ['not json', "Unexpected token 'o'"],
    ["{'a':1}", "Expected property name or '}' in JSON at position 1"],
    ['{"a" "b"}', "Expected ':' after property name in JSON at position 5"],
  ])('that is not JSON, %s, is answered with 400 in our envelope: %s', async (text, reason) => {
    const [status, code, message] = await refusalOf(await post(text));
    expect([status, code]).toEqual([400, 'invalid_json']);
    expect(message).toMatch(/^The body is not valid JSON: /);
    expect(message).toContain(reason);
  });

  it('that is not JSON is not quoted back', async () => {
    const response = await post('{"api_secret": sk_live_hush}');
    expect(await refusalOf(response)).toEqual([
      400,
      'invalid_json',
      "The body is not valid JSON: Unexpected token 's'.",
    ]);
  });
});

describe('the depth of a body', () => {
  const nested = (levels: number, [open, close]: readonly [string, string]) =>
    `${open.repeat(levels)}1${close.repeat(levels)}`;

  it.each([
    ['lists', ['[', ']']],
    ['objects', ['{"a":', '}']],
  ] as const)('may be 64 levels of %s, and is refused beyond', async (_what, brackets) => {
    expect((await post(nested(64, brackets))).status).toBe(200);
    handled = [];
    for (const levels of [65, 150_000])
      expect(await refusalOf(await post(nested(levels, brackets)))).toEqual([
        400,
        'invalid_json',
        'The body is nested more than 64 levels deep.',
      ]);
  });

  it('with half a character, which no store takes, is refused', async () => {
    const [status, code] = await refusalOf(await post('{"name":"\\ud800"}'));
    expect([status, code]).toEqual([400, 'invalid_json']);
  });

  it.each(['{"name":"\\ud83d\\ude00"}', '{"name":"a \\\\ud800 in words"}'])(
    'with whole characters passes: %s',
    async (text) => {
      expect((await post(text)).status).toBe(200);
    },
  );

  it('is not counted by brackets within texts or side by side', async () => {
    const body = {
      quoted: `${'['.repeat(100)}"\\"${'{'.repeat(100)}`,
      beside: Array.from({ length: 100 }, () => [[]]),
    };
    expect(await (await post(JSON.stringify(body))).json()).toEqual({ body });
  });
});

describe('the size of a body', () => {
  const jsonOf = (bytes: number) => JSON.stringify({ text: 'x'.repeat(bytes - 11) });

  it('may be 1 MiB', async () => {
    const text = jsonOf(BODY_BYTES_MAX);
    expect(Buffer.byteLength(text)).toBe(1_048_576);
    expect((await post(text)).status).toBe(200);
    expect(handled[0]?.rawBody?.length).toBe(1_048_576);
  });

  it('is refused with 413 when Content-Length announces more, before any of it was sent', async () => {
    const answer = await sendRaw(
      [
        'POST / HTTP/1.1',
        'Host: x',
        'Content-Type: application/json',
        `Content-Length: ${BODY_BYTES_MAX + 1}`,
      ],
      () => undefined,
    );
    expect(answer).toMatch(/^HTTP\/1\.1 413 /);
    expect(answer).toContain('"code":"payload_too_large"');
    expect(handled).toEqual([]);
  });

  it('is refused with 413 when a stream of unknown length passes it, and the client is cut off', async () => {
    const chunk = Buffer.concat([
      Buffer.from('10000\r\n'),
      Buffer.alloc(65_536, 'x'),
      Buffer.from('\r\n'),
    ]);
    const answer = await sendRaw(
      [
        'POST / HTTP/1.1',
        'Host: x',
        'Content-Type: application/json',
        'Transfer-Encoding: chunked',
      ],
      // One chunk past the limit and no end: only the limit can have answered.
      (write) => Array.from({ length: 17 }, () => write(chunk)),
    );
    expect(answer).toMatch(/^HTTP\/1\.1 413 /);
    expect(answer.toLowerCase()).toContain('connection: close');
    expect(answer).toContain('"code":"payload_too_large"');
    expect(handled).toEqual([]);
  });

  it('is told to a client that sends all of it', async () => {
    const response = await post(jsonOf(BODY_BYTES_MAX + 1));
    expect(await refusalOf(response)).toEqual([
      413,
      'payload_too_large',
      'The body is larger than 1 MiB (1,048,576 bytes).',
    ]);
  });
});

describe('x-request-id', () => {
  it('is taken from the request and sent back', async () => {
    const response = await fetch(url, { headers: { 'x-request-id': 'trace-1.2:3' } });
    expect(response.headers.get('x-request-id')).toBe('trace-1.2:3');
    expect(handled[0]?.requestId).toBe('trace-1.2:3');
  });

  it.each(['with spaces', '{"a":1}', 'x'.repeat(129)])(
    'is made anew when %j was given',
    async (id) => {
      const response = await fetch(url, { headers: { 'x-request-id': id } });
      expect(response.headers.get('x-request-id')).toMatch(/^req_[0-9a-f-]{36}$/);
    },
  );

  it('is made when there is none, another one for each request', async () => {
    const ids = await Promise.all(
      [1, 2].map(async () => (await fetch(url)).headers.get('x-request-id')),
    );
    expect(ids[0]).toMatch(/^req_[0-9a-f-]{36}$/);
    expect(ids[1]).not.toBe(ids[0]);
  });
});
