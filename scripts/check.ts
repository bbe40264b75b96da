import { spawnSync } from 'node:child_process';

/** What must be true before a commit, quickest first. */
const steps: readonly (readonly [name: string, command: string, ...args: string[]])[] = [
  ['format', 'oxfmt', '--check', '.'],
  ['lint', 'oxlint', '--type-aware'],
  ['types', 'tsc', '--noEmit'],
  ['unused', 'knip'],
  ['generated', 'node', 'scripts/generate.ts', '--check'],
  ['tests', 'vitest', 'run'],
];

const skip = process.argv.includes('--no-tests') ? ['tests'] : [];
for (const [name, command, ...args] of steps) {
  if (skip.includes(name)) continue;
  const startedMs = performance.now();
  const { status } = spawnSync(command, args, {
    stdio: 'inherit',
    shell: process.platform === 'win32',
  });
  const took = ((performance.now() - startedMs) / 1_000).toFixed(1);
  if (status !== 0) {
    console.error(`check: ${name} failed after ${took} s (${command} ${args.join(' ')})`);
    process.exit(1);
  }
  console.log(`check: ${name} passed in ${took} s`);
}
