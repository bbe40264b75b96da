import { spawnSync } from 'node:child_process';
import { readFileSync, readdirSync } from 'node:fs';
import { fileURLToPath } from 'node:url';
import { parseArgs } from 'node:util';

const USAGE = `Usage: npm run bench [-- names]

Runs the benchmarks of bench/, or the named ones, one after another. Each prints one JSON object a
line on standard output; compare figures of one run only.

  --list     say which there are
  --help     show this`;

const folder = fileURLToPath(new URL('../bench/', import.meta.url));
/** What benchmarks share, and the servers that they start. */
const PARTS = /^(?:support|serve-.*)\.ts$/;

const names = readdirSync(folder)
  .filter((file) => file.endsWith('.ts') && !PARTS.test(file))
  .map((file) => file.slice(0, -'.ts'.length))
  .toSorted();

const fileOf = (name: string): string => `${folder}${name}.ts`;

/** The first sentence of its head comment. */
function purposeOf(name: string): string {
  const comment = /^\/\*([^]*?)\*\//.exec(readFileSync(fileOf(name), 'utf8'))?.[1] ?? '';
  const text = comment.replaceAll(/\s*\n \*\s*/g, ' ').trim();
  return /^[^]*?\.(?= |$)/.exec(text)?.[0] ?? text;
}

function run(chosen: readonly string[]): number {
  const failed = chosen.filter((name) => {
    console.error(`bench: ${name}`);
    return spawnSync(process.execPath, [fileOf(name)], { stdio: 'inherit' }).status !== 0;
  });
  if (failed.length > 0) console.error(`bench: failed: ${failed.join(', ')}`);
  return failed.length > 0 ? 1 : 0;
}

function main(): number {
  const { values, positionals } = parseArgs({
    allowPositionals: true,
    options: { list: { type: 'boolean' }, help: { type: 'boolean' } },
  });
  if (values.help) {
    console.log(USAGE);
    return 0;
  }
  if (values.list) {
    for (const name of names) console.log(`${name.padEnd(18)}${purposeOf(name)}`);
    return 0;
  }
  const unknown = positionals.filter((name) => !names.includes(name));
  if (unknown.length === 0) return run(positionals.length > 0 ? positionals : names);
  console.error(`No benchmark is called ${unknown.join(', ')}. There are: ${names.join(', ')}.`);
  return 2;
}

try {
  process.exitCode = main();
} catch (error) {
  console.error(error instanceof Error ? error.message : error);
  process.exitCode = 2;
}
