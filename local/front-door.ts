import { randomUUID } from 'node:crypto';
import {
  type IncomingMessage,
  type RequestListener,
  type Server,
  type ServerResponse,
  createServer,
} from 'node:http';

import type { Manifest } from '../shared/runtime/manifest.ts';
import { matchPath } from '../shared/runtime/path.ts';

export interface FrontDoor {
  /** The port it listens on, loopback only. */
  readonly port: number;
  /** Swaps the functions behind the door: a new host after a crash. */
  serve(functions: ReadonlyMap<string, Server>, manifest: Manifest): void;
  close(): Promise<void>;
}

/**
 * The one HTTP port of an installation, in the place of the gateway and of the platform's own
 * addresses: routes by the manifest, `/_functions/<name>` as the platform would call a function,
 * `/_functions/jwks` for the keys that the local identities sign with, and the inspector at `/_local`.
 */
export async function openFrontDoor(
  port: number,
  jwks: () => unknown,
  inspector: RequestListener,
): Promise<FrontDoor> {
  let functions: ReadonlyMap<string, Server> = new Map();
  let routes: { name: string; method: string; path: string }[] = [];

  function listener(req: IncomingMessage, res: ServerResponse): void {
    const [path = '/'] = (req.url ?? '/').split('?', 1);
    if (path === '/_local' || path.startsWith('/_local/')) return inspector(req, res);
    const direct = path.match(/^\/_functions\/([a-z0-9-]+)$/)?.[1];
    if (direct === 'jwks') return sendJson(res, 200, jwks());
    if (direct !== undefined) return hand(direct, req, res);
    const candidates = routes.filter((route) => matchPath(route.path, path));
    // Literal segments win over parameters: /v1/providers/search is no provider's id.
    candidates.sort((a, b) => a.path.split('{').length - b.path.split('{').length);
    const [best] = candidates;
    const chosen =
      candidates.find(
        ({ method, path: pattern }) => pattern === best?.path && method === req.method,
      ) ?? best;
    if (chosen) return hand(chosen.name, req, res);
    if (req.method === 'GET' && path === '/')
      return sendJson(res, 200, { name: 'Purvey', functions: routes.length, docs: 'README.md' });
    req.resume();
    refuse(res, 404, 'not_found', `Nothing is served at ${req.method} ${path}.`);
  }

  function hand(name: string, req: IncomingMessage, res: ServerResponse): void {
    const server = functions.get(name);
    if (server) server.emit('request', req, res);
    else refuse(res, 503, 'unavailable', `${name} is not running.`);
  }

  const server = createServer(listener);
  server.keepAliveTimeout = 65_000;
  await new Promise<void>((done, failed) => {
    server.once('error', failed);
    server.listen(port, '127.0.0.1', done);
  });
  const address = server.address();
  return {
    port: typeof address === 'object' && address ? address.port : port,
    serve(hosted, { http }) {
      functions = hosted;
      routes = Object.entries(http).map(([name, { method, path }]) => ({ name, method, path }));
    },
    close: () =>
      new Promise((done) => {
        server.close(() => done());
        server.closeAllConnections();
      }),
  };
}

function refuse(res: ServerResponse, status: number, code: string, message: string): void {
  const requestId = `req_${randomUUID()}`;
  res.setHeader('x-request-id', requestId);
  sendJson(res, status, { error: { code, message, request_id: requestId } });
}

function sendJson(res: ServerResponse, status: number, body: unknown): void {
  res.writeHead(status, { 'content-type': 'application/json; charset=utf-8' });
  res.end(JSON.stringify(body));
}
