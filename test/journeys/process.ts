import { type ChildProcess, spawn } from 'node:child_process';
import { once } from 'node:events';
import { fileURLToPath } from 'node:url';

import type { Credentials, Reply } from '../support/purvey.ts';

const START = fileURLToPath(new URL('../../scripts/start.ts', import.meta.url));

/** What `npm start` runs, in a process of its own. */
export interface StartedProcess {
  readonly url: string;
  readonly operatorKey: string;
  /** All that it has printed so far. */
  readonly output: () => string;
  readonly clock: { nowMs(): number };
  call(
    method: string,
    path: string,
    options?: { body?: unknown; as?: Credentials; headers?: Record<string, string> },
  ): Promise<Reply>;
  /** `kill -9`; resolves when it is gone. */
  kill(): Promise<void>;
}

/** Starts on a free port with its state in `folder`. */
export function launch(folder: string): { child: ChildProcess; output: () => string } {
  const child = spawn(process.execPath, [START, '--port', '0'], {
    env: { ...process.env, PURVEY_DATA: folder, PURVEY_OPERATOR_KEY: undefined },
    stdio: ['ignore', 'pipe', 'pipe'],
  });
  let printed = '';
  const keep = (chunk: Buffer) => void (printed += chunk.toString('utf8'));
  child.stdout.on('data', keep);
  child.stderr.on('data', keep);
  return { child, output: () => printed };
}

/** Starts and waits until it is ready; fails with what it printed when it ends instead. */
export async function startProcess(folder: string): Promise<StartedProcess> {
  const { child, output } = launch(folder);
  const [, url = '', operatorKey = ''] = await new Promise<RegExpExecArray>((resolve, reject) => {
    child.stdout?.on('data', () => {
      const banner = /API\s+(http:\S+)[^]*Operator key\s+(\S+)[^]*Stop with/.exec(output());
      if (banner) resolve(banner);
    });
    child.once('exit', () => reject(new Error(`it ended: ${output()}`)));
  });
  return {
    url,
    operatorKey,
    output,
    clock: { nowMs: () => Date.now() },
    async call(method, path, { body, as, headers = {} } = {}) {
      const response = await fetch(url + path, {
        method,
        headers: { 'content-type': 'application/json', ...proofOf(as, operatorKey), ...headers },
        ...(body !== undefined && { body: JSON.stringify(body) }),
      });
      return { status: response.status, headers: response.headers, body: await response.json() };
    },
    async kill() {
      child.kill('SIGKILL');
      if (child.exitCode === null && child.signalCode === null) await once(child, 'exit');
    },
  };
}

function proofOf(as: Credentials, operatorKey: string): Record<string, string> {
  if (as === undefined) return {};
  if (as === 'operator') return { 'x-operator-key': operatorKey };
  if ('provider' in as) return { authorization: `Bearer ${as.provider}` };
  if ('org' in as) return { 'x-api-key': as.org };
  throw new Error('a service has no key to show from outside');
}
