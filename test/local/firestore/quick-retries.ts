import { createRequire } from 'node:module';
import { dirname, join } from 'node:path';

/** Longer than any wait between two attempts here, shorter than a listener's idle time. */
const WAIT_MS_MAX = 10_000;
const FACTOR = 50;

interface Backoff {
  readonly setTimeoutHandler: (handler: (callback: () => void, ms: number) => unknown) => void;
}

/** Google's client waits a second or more before it tries again; its own tests shorten that like this. */
export function retryQuickly(): void {
  const load = createRequire(import.meta.url);
  const file = join(dirname(load.resolve('@google-cloud/firestore')), 'backoff.js');
  const { setTimeoutHandler } = load(file) as Backoff;
  setTimeoutHandler((callback, ms) => setTimeout(callback, ms < WAIT_MS_MAX ? ms / FACTOR : ms));
}
