import { globSync, readFileSync } from 'node:fs';
import { dirname, join, normalize } from 'node:path';
import { describe, expect, it } from 'vitest';

const root = join(import.meta.dirname, '../..');

interface Import {
  readonly file: string;
  /** A package or node: module as written, a file of ours from the repository's root. */
  readonly target: string;
}

/** `import … from`, `export … from`, `import '…'`, `import('…')` and `import(new URL('…'))`. */
const SPECIFIER =
  /^(?:import|export)\b[^'";]*?\bfrom '([^']+)'|^import '([^']+)'|\bimport\((?:new URL\()?['"`]([^'"`]+)/gm;

const read = (file: string) => readFileSync(join(root, file), 'utf8');
const posix = (path: string) => path.replaceAll('\\', '/');
const files = globSync('{functions,shared}/**/*.ts', { cwd: root }).map(posix);

const importsOf = (file: string): Import[] =>
  [...read(file).matchAll(SPECIFIER)].map(([, from, effect, dynamic]) => {
    const specifier = from ?? effect ?? dynamic ?? '';
    return {
      file,
      target: specifier.startsWith('.')
        ? posix(normalize(join(dirname(file), specifier)))
        : specifier,
    };
  });

const imports = files.flatMap(importsOf);

const isDomain = (file: string) => /^shared\/(?!(runtime|google|http)\/)/.test(file);
const isHandler = (file: string) => /^functions\/\w+\//.test(file);

const breaches = (from: (file: string) => boolean, to: RegExp): string[] =>
  imports
    .filter(({ file, target }) => from(file) && to.test(target))
    .map(({ file, target }) => `${file} imports ${target}`);

describe('the layers', () => {
  it('are read from real files', () => {
    expect(files.filter(isDomain).length).toBeGreaterThan(20);
    expect(files.filter(isHandler).length).toBeGreaterThan(20);
    expect(imports).toContainEqual({
      file: 'shared/google/clients.ts',
      target: '@google-cloud/firestore',
    });
    expect(imports).toContainEqual({
      file: 'functions/main.ts',
      target: 'shared/google/services.ts',
    });
  });

  it("only shared/google imports Google's clients and gRPC", () => {
    expect(
      breaches(
        (file) => !file.startsWith('shared/google/'),
        /^@google-cloud\/(?!functions-framework)|^@grpc\/|^google-gax/,
      ),
    ).toEqual([]);
  });

  it('nothing that is deployed imports the embedded cloud, scripts or tests', () => {
    expect(breaches(() => true, /^(local|scripts|test|bench)\//)).toEqual([]);
  });

  it('nothing shared imports a function', () => {
    expect(breaches((file) => file.startsWith('shared/'), /^functions\//)).toEqual([]);
  });

  it('the runtime and outbound calls know only their own ports, not what implements them', () => {
    expect(breaches((file) => /^shared\/(runtime|http)\//.test(file), /^shared\/google\//)).toEqual(
      [],
    );
  });

  it('a handler reaches the outside through the runtime alone', () => {
    expect(
      breaches(isHandler, /^shared\/(google|http)\/|^node:|^(undici|pino|jose|yaml)$/),
    ).toEqual([]);
  });

  it('a rule imports zod, its neighbours and pure helpers, and nothing that does I/O', () => {
    expect(breaches(isDomain, /^(?!shared\/)(?!zod$|big\.js$|node:crypto$|node:buffer$)/)).toEqual(
      [],
    );
    expect(breaches(isDomain, /^shared\/(runtime|google|http)\//)).toEqual([]);
  });
});

describe('a rule decides the same each time it runs', () => {
  it.each([
    ['the clock', /\bDate\.now\(|\bnew Date\(\s*\)|\bperformance\.|\bTemporal\.Now/],
    [
      'chance',
      /\bMath\.random\b|\brandomUUID\b|\brandomBytes\b(?!:)|\bgetRandomValues\b|\brandomInt\b/,
    ],
    ['its surroundings', /\bprocess\.|\bglobalThis\b|\bfetch\(|\bsetTimeout\(|\bsetInterval\(/],
    ['the language of the machine', /\.toLocale\w+\(|\.localeCompare\(|\bnew Intl\.\w+\((?!')/],
  ])('so it never asks %s', (_what, forbidden) => {
    expect(files.filter((file) => isDomain(file) && forbidden.test(read(file)))).toEqual([]);
  });
});

describe('a handler', () => {
  it('takes the time from its context', () => {
    const clock = /\bDate\.now\(|\bnew Date\(\s*\)|\bMath\.random\b/;
    expect(files.filter((file) => isHandler(file) && clock.test(read(file)))).toEqual([]);
  });
});
