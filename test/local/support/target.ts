import { createServer, type IncomingHttpHeaders } from 'node:http';
import type { AddressInfo } from 'node:net';

export interface Received {
  readonly method: string;
  readonly path: string;
  readonly headers: IncomingHttpHeaders;
  readonly body: string;
}

interface Answer {
  readonly status: number;
  readonly headers?: Record<string, string>;
}

/**
 * `hang` keeps the request waiting until `release()`; `processing` does so after an interim 102;
 * `reset` breaks the connection.
 */
type Reaction = number | Answer | 'hang' | 'processing' | 'reset';

/** A real HTTP server that notes what it receives and reacts as told; 200 by default. */
export async function startTarget(react: (request: Received, nth: number) => Reaction = () => 200) {
  const requests: Received[] = [];
  const waiting: (() => void)[] = [];
  const server = createServer((request, response) => {
    const chunks: Buffer[] = [];
    request.on('data', (chunk: Buffer) => chunks.push(chunk));
    request.on('end', () => {
      const received = {
        method: request.method ?? '',
        path: request.url ?? '',
        headers: request.headers,
        body: Buffer.concat(chunks).toString(),
      };
      requests.push(received);
      const reaction = react(received, requests.length);
      if (reaction === 'reset') request.socket.destroy();
      else if (reaction === 'hang' || reaction === 'processing') {
        if (reaction === 'processing') response.writeProcessing();
        waiting.push(() => response.writeHead(200).end());
      } else {
        const answer = typeof reaction === 'number' ? { status: reaction } : reaction;
        response.writeHead(answer.status, answer.headers).end();
      }
    });
  });
  await new Promise<void>((done) => server.listen(0, '127.0.0.1', done));
  return {
    url: `http://127.0.0.1:${(server.address() as AddressInfo).port}`,
    requests,
    header: (name: string) => requests.map((request) => request.headers[name.toLowerCase()]),
    /** Resolves once so many requests have come in. */
    async received(count: number) {
      while (requests.length < count) await new Promise((done) => setTimeout(done, 1));
    },
    release() {
      for (const answer of waiting.splice(0)) answer();
    },
    async stop() {
      server.closeAllConnections();
      await new Promise((done) => server.close(done));
    },
  };
}
