import { spawnSync } from 'node:child_process';
import { existsSync, readdirSync } from 'node:fs';
import { join } from 'node:path';

export const products = ['firestore', 'pubsub'] as const;
export type Product = (typeof products)[number];

/** An emulator to run the suites on, or why there is none. */
export type Found =
  | { readonly kind: 'running'; readonly address: string; readonly variable: string }
  | { readonly kind: 'installed'; readonly jar: string; readonly java: string }
  | { readonly kind: 'missing'; readonly why: string };

interface Facts {
  /** The variable of Google's own clients, which names an emulator that runs already. */
  readonly variable: string;
  /** Folder of the jar below the SDK's root. */
  readonly folder: readonly string[];
  readonly jar: RegExp;
  readonly component: string;
}

const FACTS: Record<Product, Facts> = {
  firestore: {
    variable: 'FIRESTORE_EMULATOR_HOST',
    folder: ['platform', 'cloud-firestore-emulator'],
    jar: /^cloud-firestore-emulator.*\.jar$/,
    component: 'cloud-firestore-emulator',
  },
  pubsub: {
    variable: 'PUBSUB_EMULATOR_HOST',
    folder: ['platform', 'pubsub-emulator', 'lib'],
    jar: /^cloud-pubsub-emulator.*\.jar$/,
    component: 'pubsub-emulator',
  },
};

type Environment = Readonly<Record<string, string | undefined>>;

/** gcloud starts a Python of its own, which takes its time. */
const GCLOUD_MS = 60_000;

function outputOf(command: string, args: readonly string[], env: Environment): string | undefined {
  const { status, stdout } = spawnSync(command, args, {
    encoding: 'utf8',
    timeout: GCLOUD_MS,
    env: { ...env },
    // gcloud is a batch file there, which only a shell can start.
    shell: process.platform === 'win32',
  });
  return status === 0 ? stdout : undefined;
}

/** The root of the Google Cloud SDK, or undefined when gcloud is not installed. */
function sdkRoot(env: Environment): string | undefined {
  try {
    const info = JSON.parse(outputOf('gcloud', ['info', '--format=json'], env) ?? 'null') as {
      config?: { paths?: { sdk_root?: string } };
      installation?: { sdk_root?: string };
    } | null;
    return info?.installation?.sdk_root ?? info?.config?.paths?.sdk_root;
  } catch {
    return undefined;
  }
}

function javaOf(env: Environment): string | undefined {
  const own = env['JAVA_HOME'] ? join(env['JAVA_HOME'], 'bin', 'java') : undefined;
  return [own, 'java'].find(
    (java) => java !== undefined && outputOf(java, ['-version'], env) !== undefined,
  );
}

/** Looks for both emulators: in the environment first, then in the SDK. Starts nothing. */
export function findEmulators(env: Environment): Record<Product, Found> {
  const once = <T>(find: () => T) => {
    let found: { value: T } | undefined;
    return () => (found ??= { value: find() }).value;
  };
  const root = once(() => sdkRoot(env));
  const java = once(() => javaOf(env));

  const find = (product: Product): Found => {
    const { variable, folder, jar, component } = FACTS[product];
    const address = env[variable];
    if (address) return { kind: 'running', address, variable };
    const sdk = root();
    if (sdk === undefined)
      return { kind: 'missing', why: `gcloud is not installed, and ${variable} is not set` };
    const path = join(sdk, ...folder);
    const name = existsSync(path) ? readdirSync(path).find((each) => jar.test(each)) : undefined;
    if (name === undefined)
      return {
        kind: 'missing',
        why: `the SDK has no ${component} (gcloud components install ${component})`,
      };
    const command = java();
    if (command === undefined)
      return { kind: 'missing', why: 'Java is not installed, which the emulators need' };
    return { kind: 'installed', jar: join(path, name), java: command };
  };
  return { firestore: find('firestore'), pubsub: find('pubsub') };
}
