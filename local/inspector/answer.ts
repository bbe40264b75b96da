import { randomUUID } from 'node:crypto';
import type { ServerResponse } from 'node:http';

/** Nothing from elsewhere runs, nothing embeds the page, nothing is kept. */
const HEADERS = {
  'content-security-policy':
    "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self'; connect-src 'self'; base-uri 'none'; form-action 'none'; frame-ancestors 'none'",
  'cross-origin-opener-policy': 'same-origin',
  'cross-origin-resource-policy': 'same-origin',
  'x-content-type-options': 'nosniff',
  'x-frame-options': 'DENY',
  'referrer-policy': 'no-referrer',
  'cache-control': 'no-store',
};

/** A request that is refused; `message` says to its sender what to do. */
export class Refusal extends Error {
  readonly status: number;
  readonly code: string;

  constructor(status: number, code: string, message: string) {
    super(message);
    this.status = status;
    this.code = code;
  }
}

export function send(res: ServerResponse, status: number, type: string, body: string | Buffer) {
  res.writeHead(status, { ...HEADERS, 'content-type': type });
  res.end(body);
}

export const sendJson = (res: ServerResponse, status: number, body: unknown): void =>
  send(res, status, 'application/json; charset=utf-8', JSON.stringify(body));

/** In the shape of every other error of the API. */
export function refuse(res: ServerResponse, { status, code, message }: Refusal): void {
  const requestId = `req_${randomUUID()}`;
  res.setHeader('x-request-id', requestId);
  sendJson(res, status, { error: { code, message, request_id: requestId } });
}
