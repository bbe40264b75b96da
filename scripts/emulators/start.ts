import { type ChildProcess, spawn } from 'node:child_process';
import { once } from 'node:events';
import { createWriteStream, mkdirSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { setTimeout as pause } from 'node:timers/promises';

import { freePort, untilAnswers } from './address.ts';
import type { Product } from './find.ts';

export interface Emulator {
  /** `host:port` */
  readonly address: string;
  /** Ends it, by force if need be. Harmless when repeated. */
  stop(): Promise<void>;
  /** Ends it at once, for when nothing can be awaited any more. */
  kill(): void;
}

/** A JVM on a busy machine. */
const START_MS = 60_000;
const STOP_MS = 2_000;
const LOG_LINES = 20;

/** Arguments of the JVM, as the SDK's own wrapper scripts have them. */
const ARGUMENTS: Record<Product, (jar: string, port: number) => string[]> = {
  firestore: (jar, port) => [
    // Its messages are compared with ours, and it writes them in the language of the machine.
    '-Duser.language=en',
    '-cp',
    jar,
    'com.google.cloud.datastore.emulator.firestore.CloudFirestore',
    'start',
    '--host=127.0.0.1',
    `--port=${port}`,
  ],
  pubsub: (jar, port) => ['-jar', jar, '--host=127.0.0.1', `--port=${port}`],
};

/**
 * Starts an emulator on a free port and waits until it answers. Its output goes to
 * `<logs>/emulator-<product>.log`.
 *
 * @param onSpawn gets it before it answers, to stop it should we be stopped meanwhile
 *
 * @throws {Error} with the end of its output, when it does not come up
 */
export async function startEmulator(
  product: Product,
  { java, jar }: { readonly java: string; readonly jar: string },
  logs: string,
  onSpawn: (emulator: Emulator) => void,
): Promise<Emulator> {
  mkdirSync(logs, { recursive: true });
  const logFile = join(logs, `emulator-${product}.log`);
  const port = await freePort();
  const address = `127.0.0.1:${port}`;
  const child = spawn(java, ARGUMENTS[product](jar, port), {
    // A group of its own: a Ctrl-C at the terminal reaches the suites first, and then us.
    detached: process.platform !== 'win32',
    stdio: ['ignore', 'pipe', 'pipe'],
  });
  let hasEnded = false;
  const ended = new Promise<void>((done) => {
    for (const event of ['exit', 'error'])
      child.once(event, () => {
        hasEnded = true;
        done();
      });
  });
  const log = createWriteStream(logFile);
  child.stdout.pipe(log, { end: false });
  child.stderr.pipe(log, { end: false });

  const emulator: Emulator = {
    address,
    kill: () => void (hasEnded || signal(child, 'SIGKILL')),
    async stop() {
      if (!hasEnded) signal(child, 'SIGTERM');
      await Promise.race([ended, pause(STOP_MS, undefined, { ref: false })]);
      if (!hasEnded) signal(child, 'SIGKILL');
      await ended;
      if (!log.closed) {
        log.end();
        await once(log, 'close');
      }
    },
  };
  onSpawn(emulator);
  if (await untilAnswers(address, START_MS, () => hasEnded)) return emulator;
  await emulator.stop();
  const tail = readFileSync(logFile, 'utf8').trim().split('\n').slice(-LOG_LINES).join('\n');
  throw new Error(
    hasEnded
      ? `The ${product} emulator ended before it answered.\n${tail}`
      : `The ${product} emulator did not answer in ${START_MS / 1_000} s.\n${tail}`,
  );
}

function signal(child: ChildProcess, name: NodeJS.Signals): void {
  if (child.pid === undefined) return;
  try {
    // The whole group: what was started may itself have started the JVM.
    if (process.platform === 'win32') child.kill(name);
    else process.kill(-child.pid, name);
  } catch {
    // It has ended meanwhile.
  }
}
