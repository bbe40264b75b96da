import { type RequestListener, type Server, createServer } from 'node:http';
import { onTestFinished } from 'vitest';

/** Listens until the current test ends; the result is the address, without a trailing slash. */
export async function serve(listener: RequestListener): Promise<string> {
  return listen(createServer(listener));
}

/** As `serve`, for a server that was made elsewhere. */
export async function listen(server: Server): Promise<string> {
  await new Promise<void>((done) => server.listen(0, '127.0.0.1', done));
  onTestFinished(
    () =>
      new Promise<void>((done) => {
        server.close(() => done());
        server.closeAllConnections();
      }),
  );
  const address = server.address();
  if (address === null || typeof address === 'string') throw new Error('not listening on a port');
  return `http://127.0.0.1:${address.port}`;
}
