import { spawn } from 'node:child_process';
import { mkdirSync, mkdtempSync, readdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { createServer } from 'node:http';
import type { AddressInfo } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { setTimeout as pause } from 'node:timers/promises';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';

/** Needs nothing but that the emulators answer. */
const SUITE = 'test/local/emulators/addresses.test.ts';

let folder: string;
beforeEach(() => void (folder = mkdtempSync(join(tmpdir(), 'emulators-'))));
afterEach(() => rmSync(folder, { recursive: true, force: true }));

function executable(name: string, source: string): void {
  mkdirSync(join(folder, 'bin'), { recursive: true });
  writeFileSync(join(folder, 'bin', name), `#!${process.execPath}\n${source}`, { mode: 0o755 });
}

/** A gcloud that knows an SDK with both emulators. */
function installSdk(): void {
  const sdk = join(folder, 'sdk');
  for (const [path, jar] of [
    ['platform/cloud-firestore-emulator', 'cloud-firestore-emulator.jar'],
    ['platform/pubsub-emulator/lib', 'cloud-pubsub-emulator-0.8.20-all.jar'],
  ] as const) {
    mkdirSync(join(sdk, path), { recursive: true });
    writeFileSync(join(sdk, path, jar), '');
  }
  const info = { config: { paths: { sdk_root: sdk } } };
  executable('gcloud', `console.log(${JSON.stringify(JSON.stringify(info))});`);
}

/** A Java whose every program is an emulator; `start` is what it does with its port. */
function installJava(
  start = "createServer((req, res) => res.end('Ok')).listen(port, '127.0.0.1');",
) {
  executable(
    'java',
    `const { createServer } = require('node:http');
    if (process.argv.includes('-version')) process.exit(0);
    require('node:fs').writeFileSync(
      ${JSON.stringify(folder)} + '/' + process.pid + '.started',
      JSON.stringify(process.argv.slice(2)),
    );
    const port = Number(process.argv.find((each) => each.startsWith('--port=')).slice(7));
    ${start}`,
  );
}

/** What has been started: its process and its arguments. */
const started = (): { pid: number; args: string[] }[] =>
  readdirSync(folder)
    .filter((name) => name.endsWith('.started'))
    .map((name) => ({
      pid: Number.parseInt(name, 10),
      args: JSON.parse(readFileSync(join(folder, name), 'utf8')),
    }));

const isAlive = (pid: number): boolean => {
  try {
    return process.kill(pid, 0);
  } catch {
    return false;
  }
};

async function run(
  args: readonly string[],
  env: Readonly<Record<string, string>> = {},
  meanwhile: (child: ReturnType<typeof spawn>) => Promise<void> = async () => {},
): Promise<{ code: number | null; output: string }> {
  const child = spawn(process.execPath, ['scripts/test-emulators.ts', ...args], {
    // Nothing of this machine's: neither its gcloud nor its Java.
    env: { PATH: join(folder, 'bin'), CI: 'true', ...env },
    stdio: ['ignore', 'pipe', 'pipe'],
  });
  let output = '';
  for (const stream of [child.stdout, child.stderr])
    stream.on('data', (chunk: Buffer) => void (output += chunk.toString()));
  const ended = new Promise<number | null>((done) => child.once('close', done));
  await meanwhile(child);
  return { code: await ended, output };
}

describe('npm run test:emulators', () => {
  it('explains itself', async () => {
    const { code, output } = await run(['--help']);
    expect(output).toContain('--require');
    expect(code).toBe(0);
  });

  it('skips, and says why, where gcloud is not installed', async () => {
    const { code, output } = await run([]);
    expect(output).toMatch(/^skipped: firestore: gcloud is not installed/m);
    expect(code).toBe(0);
  });

  it('fails there instead when the emulators are required', async () => {
    const { code, output } = await run(['--require']);
    expect(output).toMatch(/^failed: firestore: gcloud is not installed/m);
    expect(code).toBe(1);
  });

  it('skips where the SDK has no emulators, and names the command that installs them', async () => {
    executable('gcloud', `console.log('{"config":{"paths":{"sdk_root":"/none"}}}');`);
    const { code, output } = await run([]);
    expect(output).toContain('gcloud components install cloud-firestore-emulator');
    expect(output).toContain('gcloud components install pubsub-emulator');
    expect(code).toBe(0);
  });

  it('skips where Java is not installed', async () => {
    installSdk();
    const { code, output } = await run([]);
    expect(output).toMatch(/^skipped: .*Java is not installed/m);
    expect(code).toBe(0);
  });

  it('lists what there is without starting it', async () => {
    installSdk();
    installJava();
    const { code, output } = await run(['--list']);
    expect(output).toContain('firestore: installed');
    expect(output).toContain(SUITE);
    expect(output).not.toContain('runner.test.ts');
    expect([code, started()]).toEqual([0, []]);
  });

  it('starts both, runs the suites on them and stops them', async () => {
    installSdk();
    installJava();
    const { code, output } = await run([SUITE]);
    expect(output).toMatch(/3 passed/);
    expect(code).toBe(0);
    const [all] = [started()];
    expect(all).toHaveLength(2);
    expect(all.some(({ args }) => args.includes('-Duser.language=en'))).toBe(true);
    expect(all.filter(({ pid }) => isAlive(pid))).toEqual([]);
  });

  it('stops them when the suites fail, and fails', async () => {
    installSdk();
    installJava();
    const { code } = await run(['no-such-suite']);
    expect(code).toBe(1);
    expect(started()).toHaveLength(2);
    expect(started().filter(({ pid }) => isAlive(pid))).toEqual([]);
  });

  it('stops them by force when they do not heed', async () => {
    installSdk();
    installJava(
      "process.on('SIGTERM', () => {}); createServer((req, res) => res.end('Ok')).listen(port, '127.0.0.1');",
    );
    await run(['no-such-suite']);
    expect(started()).toHaveLength(2);
    expect(started().filter(({ pid }) => isAlive(pid))).toEqual([]);
  });

  it.each(['SIGINT', 'SIGTERM'] as const)(
    'stops them on %s, even while they start',
    async (signal) => {
      installSdk();
      installJava(
        "setTimeout(() => createServer((req, res) => res.end('Ok')).listen(port, '127.0.0.1'), 500);",
      );
      const { code } = await run([SUITE], {}, async (child) => {
        while (started().length < 2) await pause(10);
        child.kill(signal);
      });
      expect(code).toBe(130);
      expect(started().filter(({ pid }) => isAlive(pid))).toEqual([]);
    },
  );

  it('fails with the output of an emulator that ends at once', async () => {
    installSdk();
    installJava("console.error('Address already in use'); process.exit(1);");
    const { code, output } = await run([SUITE]);
    expect(output).toContain('ended before it answered.\nAddress already in use');
    expect(code).toBe(1);
  });

  it('takes running emulators from the environment, and leaves them running', async () => {
    const server = createServer((_, res) => res.end('Ok'));
    await new Promise<void>((done) => server.listen(0, '127.0.0.1', done));
    const address = `127.0.0.1:${(server.address() as AddressInfo).port}`;
    const { code, output } = await run([SUITE], { FIRESTORE_EMULATOR_HOST: address });
    expect(output).toContain('pubsub: none, gcloud is not installed');
    expect(output).toMatch(/2 passed/);
    expect(code).toBe(0);
    expect(server.listening).toBe(true);
    await new Promise((done) => server.close(done));
  });

  it('fails when the environment names an emulator that is not there', async () => {
    const { code, output } = await run([SUITE], {
      FIRESTORE_EMULATOR_HOST: '127.0.0.1:9',
      PUBSUB_EMULATOR_HOST: '127.0.0.1:9',
    });
    expect(output).toContain('Nothing answers at FIRESTORE_EMULATOR_HOST=127.0.0.1:9.');
    expect(code).toBe(1);
  });
});
