/*
 * The inspector of the embedded cloud at /_local: one page, and under /_local/api the JSON it shows.
 * Part of `npm start`, never of the product. What it reads is neither counted nor disturbed.
 */
import type { IncomingMessage, RequestListener, ServerResponse } from 'node:http';

import { status as grpc } from '@grpc/grpc-js';
import { ZodError } from 'zod';

import { RpcError } from '../kernel/grpc.ts';
import { Refusal, refuse, send, sendJson } from './answer.ts';
import { readJson } from './body.ts';
import { pageFile } from './files.ts';
import { checkHost, checkKey, checkOrigin } from './guard.ts';
import { createRoutes, type Inspected, type Route } from './routes.ts';

export type { Inspected } from './routes.ts';

const API = '/_local/api';

const STATUSES: Record<number, readonly [status: number, code: string]> = {
  [grpc.INVALID_ARGUMENT]: [400, 'invalid_request'],
  [grpc.NOT_FOUND]: [404, 'not_found'],
  [grpc.FAILED_PRECONDITION]: [409, 'conflict'],
};

/** @param inspected undefined until the cloud is up */
export function createInspector(inspected: () => Inspected | undefined): RequestListener {
  let routes: Record<string, Route> | undefined;

  async function answer(req: IncomingMessage, res: ServerResponse): Promise<void> {
    checkHost(req);
    const url = new URL(req.url ?? '/', 'http://127.0.0.1');
    if (!url.pathname.startsWith(`${API}/`)) return sendPage(req, res, url.pathname);
    checkOrigin(req);
    const target = inspected();
    if (!target) throw new Refusal(503, 'unavailable', 'The embedded cloud is still starting.');
    checkKey(req, target.operatorKey);
    routes ??= createRoutes(target);
    const route = routes[`${req.method} ${url.pathname.slice(API.length)}`];
    if (!route) throw nothingAt(req, url.pathname);
    const input = req.method === 'GET' ? Object.fromEntries(url.searchParams) : await readJson(req);
    sendJson(res, 200, await route(input));
  }

  return (req, res) => {
    answer(req, res).catch((error: unknown) => {
      req.resume();
      refuse(res, refusalOf(error));
    });
  };
}

function sendPage(req: IncomingMessage, res: ServerResponse, path: string): void {
  const file = req.method === 'GET' || req.method === 'HEAD' ? pageFile(path) : undefined;
  if (!file) throw nothingAt(req, path);
  send(res, 200, file.type, file.body);
}

const nothingAt = (req: IncomingMessage, path: string): Refusal =>
  new Refusal(404, 'not_found', `Nothing is served at ${req.method} ${path}.`);

function refusalOf(error: unknown): Refusal {
  if (error instanceof Refusal) return error;
  if (error instanceof ZodError) {
    const wrong = error.issues.map(({ path, message }) => `${path.join('.')}: ${message}`);
    return new Refusal(400, 'invalid_request', wrong.join('; '));
  }
  if (error instanceof RpcError) {
    const [status, code] = STATUSES[error.code] ?? [500, 'internal_error'];
    return new Refusal(status, code, error.message);
  }
  return new Refusal(500, 'internal_error', error instanceof Error ? error.message : 'unknown');
}
