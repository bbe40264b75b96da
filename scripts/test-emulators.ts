import { type ChildProcess, spawn } from 'node:child_process';
import { existsSync } from 'node:fs';
import { join, relative } from 'node:path';
import { fileURLToPath } from 'node:url';
import { parseArgs } from 'node:util';

import { untilAnswers } from './emulators/address.ts';
import { findEmulators, type Found, type Product, products } from './emulators/find.ts';
import { type Emulator, startEmulator } from './emulators/start.ts';
import { suitesIn, UNDER_TEST } from './emulators/suites.ts';

const USAGE = `Usage: npm run test:emulators [-- options] [files]

Runs the differential suites, and what of our own suites can, on Google's official Firestore and
Pub/Sub emulators.

  --require    fail when an emulator, or Java, is not there, instead of skipping
  --list       say what is found and which suites would run, and start nothing
  --help       show this

The emulators are those of the Google Cloud SDK (gcloud components install cloud-firestore-emulator
pubsub-emulator), started on free ports and stopped again; or running ones, named by
FIRESTORE_EMULATOR_HOST and PUBSUB_EMULATOR_HOST. Their output is in reports/.`;

const root = fileURLToPath(new URL('..', import.meta.url));
/** An emulator that somebody else started is there, or it is not. */
const RUNNING_MS = 3_000;

const { values, positionals } = parseArgs({
  allowPositionals: true,
  options: {
    require: { type: 'boolean', default: false },
    list: { type: 'boolean', default: false },
    help: { type: 'boolean', default: false },
  },
});

const started: Emulator[] = [];
let suites: ChildProcess | undefined;
let stoppedBy: NodeJS.Signals | undefined;

for (const signal of ['SIGINT', 'SIGTERM'] as const)
  process.on(signal, () => {
    stoppedBy = signal;
    suites?.kill(signal);
  });
// Whatever ends this process, no emulator outlives it.
process.on('exit', () => {
  for (const emulator of started) emulator.kill();
});

/** Where an emulator answers, or undefined when there is none. */
async function addressOf(product: Product, found: Found): Promise<string | undefined> {
  switch (found.kind) {
    case 'missing':
      return undefined;
    case 'running':
      if (await untilAnswers(found.address, RUNNING_MS)) return found.address;
      throw new Error(`Nothing answers at ${found.variable}=${found.address}.`);
    case 'installed': {
      const startedMs = performance.now();
      const emulator = await startEmulator(product, found, join(root, 'reports'), (spawned) =>
        started.push(spawned),
      );
      const took = ((performance.now() - startedMs) / 1_000).toFixed(1);
      console.log(`${product}: emulator at ${emulator.address} after ${took} s`);
      return emulator.address;
    }
  }
}

function runSuites(files: readonly string[], env: Readonly<Record<string, string>>) {
  const vitest = join(root, 'node_modules/vitest/vitest.mjs');
  const { FIRESTORE_EMULATOR_HOST: _, PUBSUB_EMULATOR_HOST: __, ...inherited } = process.env;
  return new Promise<number>((done, failed) => {
    suites = spawn(process.execPath, [vitest, 'run', '--project', 'emulators', ...files], {
      cwd: root,
      stdio: 'inherit',
      // Google's clients obey their own two variables: the embedded cloud would be left out of the test.
      env: { ...inherited, ...env },
    });
    suites.once('error', failed);
    suites.once('exit', (code) => done(code ?? 1));
  });
}

/** Nothing to run, or nothing to run it on. */
function skip(why: string): number {
  console.log(`${values.require ? 'failed' : 'skipped'}: ${why}`);
  return values.require ? 1 : 0;
}

async function main(): Promise<number> {
  const found = findEmulators(process.env);
  for (const product of products) {
    const { kind } = found[product];
    if (kind === 'missing') console.log(`${product}: none, ${whyOf(found[product])}`);
    else if (values.list) console.log(`${product}: ${kind}`);
  }
  const files =
    positionals.length > 0
      ? positionals
      : suitesIn(join(root, 'test')).map((file) => relative(root, file));
  if (values.list) {
    console.log(files.map((file) => `  ${file}`).join('\n') || '  no suite yet');
    return 0;
  }
  const missing = products.filter((product) => found[product].kind === 'missing');
  if (missing.length === products.length || (values.require && missing.length > 0))
    return skip(missing.map((product) => `${product}: ${whyOf(found[product])}`).join('; '));
  if (files.length === 0) return skip(`no suite reads ${Object.values(UNDER_TEST).join(' or ')}`);

  const env: Record<string, string> = {};
  const addresses = await Promise.allSettled(
    products.map(async (product) => {
      const address = await addressOf(product, found[product]);
      if (address !== undefined) env[UNDER_TEST[product]] = address;
    }),
  );
  for (const outcome of addresses) if (outcome.status === 'rejected') throw outcome.reason;
  return stoppedBy ? 130 : runSuites(files, env);
}

const whyOf = (found: Found): string => (found.kind === 'missing' ? found.why : '');

if (values.help) {
  console.log(USAGE);
} else if (!existsSync(join(root, 'node_modules/vitest'))) {
  console.error('Nothing is installed; run npm ci first.');
  process.exitCode = 1;
} else {
  try {
    process.exitCode = await main();
  } catch (error) {
    console.error(error instanceof Error ? error.message : error);
    process.exitCode = 1;
  } finally {
    await Promise.all(started.map((emulator) => emulator.stop()));
    if (stoppedBy) process.exitCode = 130;
  }
}
