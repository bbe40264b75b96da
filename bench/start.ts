/*
 * How long `npm start` takes until it says that it is ready, on a new folder and again on the same.
 * `node bench/start.ts`
 */
import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { fileURLToPath } from 'node:url';

import { inTemporaryFolder, percentile, report, round } from './support.ts';

const RUNS = 5;
const GOAL_MS = 5_000;
/** A start that takes longer has gone wrong. */
const START_MS = 60_000;
const SCRIPT = fileURLToPath(new URL('../scripts/start.ts', import.meta.url));

/** From the process's start to its banner. Stops it again. */
async function startMs(folder: string): Promise<number> {
  const startedMs = performance.now();
  const child = spawn(process.execPath, [SCRIPT, '--port', '0'], {
    env: { ...process.env, PURVEY_DATA: folder },
    stdio: ['ignore', 'pipe', 'inherit'],
  });
  const exited = once(child, 'exit');
  const timer = setTimeout(() => child.kill('SIGKILL'), START_MS);
  try {
    let output = '';
    for await (const chunk of child.stdout) {
      output += String(chunk);
      if (output.includes('Purvey is ready')) return performance.now() - startedMs;
    }
    throw new Error(`the start ended without its banner: ${output}`);
  } finally {
    clearTimeout(timer);
    child.kill();
    await exited;
  }
}

const took = { first: new Array<number>(), second: new Array<number>() };
for (let run = 0; run < RUNS; run++)
  await inTemporaryFolder(async (folder) => {
    took.first.push(await startMs(folder));
    took.second.push(await startMs(folder));
  });
for (const [name, samples] of Object.entries(took))
  report('start', `${name} start`, {
    medianMs: round(percentile(samples, 0.5)),
    minMs: round(Math.min(...samples)),
    maxMs: round(Math.max(...samples)),
    goalMs: GOAL_MS,
    runs: RUNS,
  });
