import http, { type IncomingMessage, type RequestListener, type ServerResponse } from 'node:http';
import { randomUUID } from 'node:crypto';

import { type ErrorCode, statusOf } from '../errors.ts';
import { isDeeperThan } from './json-depth.ts';

/** The largest body any function takes. */
export const BODY_BYTES_MAX = 1024 * 1024;
/** How deep a body may nest: far more than any request needs, far less than the stack bears. */
const BODY_DEPTH_MAX = 64;

/**
 * An escaped surrogate. `JSON.stringify` escapes only those without their other half, which Firestore
 * refuses to store.
 */
const HALF_CHARACTER = /(?<!\\)(?:\\\\)*\\u[dD][89a-fA-F]/;

const REQUEST_ID = /^[A-Za-z0-9._:-]{1,128}$/;

/** What the shim leaves on a request for the wrappers behind it. */
export interface ShimmedRequest extends IncomingMessage {
  requestId: string;
  body: unknown;
  rawBody: Buffer;
}

/**
 * Puts the shim in front of the next HTTP server that is created in this process, which is the
 * functions framework's: its own body parsing accepts 1 GiB and answers invalid JSON in HTML. A
 * body that has been read to its end is left alone by that parser.
 */
export function shimNextServer(): void {
  const original = http.createServer;
  http.createServer = ((...args: unknown[]) => {
    http.createServer = original;
    const listener = args.pop() as RequestListener;
    return (original as (...rest: unknown[]) => http.Server)(...args, shimmed(listener));
  }) as typeof http.createServer;
}

const shimmed =
  (listener: RequestListener): RequestListener =>
  (req, res) => {
    const request = req as ShimmedRequest;
    const given = req.headers['x-request-id'];
    request.requestId =
      typeof given === 'string' && REQUEST_ID.test(given) ? given : `req_${randomUUID()}`;
    res.setHeader('x-request-id', request.requestId);
    if (!readsBody(request, res)) return;
    readBody(request, res, () => listener(req, res));
  };

/** False when the request was refused unread. */
function readsBody(req: ShimmedRequest, res: ServerResponse): boolean {
  const encoding = req.headers['content-encoding'] ?? 'identity';
  if (encoding !== 'identity') {
    refuse(req, res, 'unsupported_media_type', 'Send the body without a Content-Encoding.');
    return false;
  }
  if (Number(req.headers['content-length'] ?? 0) > BODY_BYTES_MAX) {
    refuse(req, res, 'payload_too_large', TOO_LARGE);
    return false;
  }
  return true;
}

const TOO_LARGE = 'The body is larger than 1 MiB (1,048,576 bytes).';

function readBody(req: ShimmedRequest, res: ServerResponse, next: () => void): void {
  const chunks: Buffer[] = [];
  let size = 0;
  req.on('data', (chunk: Buffer) => {
    if (size > BODY_BYTES_MAX) return;
    size += chunk.length;
    if (size > BODY_BYTES_MAX) {
      chunks.length = 0;
      refuse(req, res, 'payload_too_large', TOO_LARGE);
    } else chunks.push(chunk);
  });
  req.on('end', () => {
    if (size > BODY_BYTES_MAX) return;
    req.rawBody = Buffer.concat(chunks);
    if (size === 0) return next();
    const type = (req.headers['content-type'] ?? '').split(';', 1)[0]?.trim().toLowerCase() ?? '';
    if (type !== 'application/json' && !type.endsWith('+json'))
      return refuse(
        req,
        res,
        'unsupported_media_type',
        'Send the body as JSON with the header "Content-Type: application/json".',
      );
    if (isDeeperThan(BODY_DEPTH_MAX, req.rawBody))
      return refuse(
        req,
        res,
        'invalid_json',
        `The body is nested more than ${BODY_DEPTH_MAX} levels deep.`,
      );
    try {
      const text = req.rawBody.toString('utf8');
      req.body = JSON.parse(text);
      if (HALF_CHARACTER.test(text) && HALF_CHARACTER.test(JSON.stringify(req.body)))
        return refuse(
          req,
          res,
          'invalid_json',
          'The body holds half a character (a lone surrogate).',
        );
    } catch (error) {
      // V8 quotes the body after a comma; it may hold a secret.
      const reason = error instanceof Error ? error.message.replace(/, (\.\.\.)?".*/s, '') : '';
      return refuse(req, res, 'invalid_json', `The body is not valid JSON: ${reason}.`);
    }
    next();
  });
}

function refuse(req: ShimmedRequest, res: ServerResponse, code: ErrorCode, message: string): void {
  if (res.headersSent) return;
  const body = JSON.stringify({ error: { code, message, request_id: req.requestId } });
  // What is still on its way is not worth reading; a client that keeps sending is cut off.
  res.writeHead(statusOf[code], {
    'content-type': 'application/json; charset=utf-8',
    'content-length': Buffer.byteLength(body),
    connection: 'close',
  });
  res.end(body);
  req.resume();
}
