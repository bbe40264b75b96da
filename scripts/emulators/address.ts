import { createServer } from 'node:net';
import { setTimeout as pause } from 'node:timers/promises';

const LOOK_EVERY_MS = 100;

/** A port of this machine that nothing listens on at this moment. */
export const freePort = (): Promise<number> =>
  new Promise((done, failed) => {
    const server = createServer().once('error', failed);
    server.listen(0, '127.0.0.1', () => {
      const address = server.address();
      server.close(() => done(typeof address === 'object' && address ? address.port : 0));
    });
  });

/** Whether something takes connections at `host:port` and answers HTTP, as both emulators do at `/`. */
async function answers(address: string): Promise<boolean> {
  try {
    const { ok } = await fetch(`http://${address}/`, { signal: AbortSignal.timeout(1_000) });
    return ok;
  } catch {
    return false;
  }
}

/** Resolves to false when it has not answered in time, or `hasEnded` says that it never will. */
export async function untilAnswers(
  address: string,
  timeoutMs: number,
  hasEnded: () => boolean = () => false,
): Promise<boolean> {
  const untilMs = performance.now() + timeoutMs;
  while (performance.now() < untilMs && !hasEnded()) {
    if (await answers(address)) return true;
    await pause(LOOK_EVERY_MS);
  }
  return false;
}
