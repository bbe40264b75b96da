import { type ChildProcess, spawn, spawnSync } from 'node:child_process';
import { mkdtempSync, readFileSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';

/** How long `npm start` may take to say that it is ready. */
const START_MS = 60_000;

const failures: string[] = [];

/** Runs a command and says in one line how it went. */
function step(name: string, command: string, ...args: string[]): boolean {
  console.log(`\n== ${name}`);
  const { status } = spawnSync(command, args, { stdio: 'inherit', shell: process.platform === 'win32' });
  if (status !== 0) failures.push(name);
  return status === 0;
}

/** The counts of the JUnit report that the test run wrote. */
function counted(): { passed: number; failed: number } {
  try {
    const report = readFileSync('reports/tests.xml', 'utf8');
    const [, tests = '0', failed = '0', errors = '0'] =
      /<testsuites[^>]* tests="(\d+)" failures="(\d+)" errors="(\d+)"/.exec(report) ?? [];
    const bad = Number(failed) + Number(errors);
    return { passed: Number(tests) - bad, failed: bad };
  } catch {
    return { passed: 0, failed: 1 };
  }
}

/** Starts a fresh installation as a user would, asks it two things, and stops it. */
async function smoke(): Promise<void> {
  console.log('\n== npm start');
  const folder = mkdtempSync(join(tmpdir(), 'purvey-smoke-'));
  const child = spawn('npm', ['start', '--silent', '--', '--port', '0'], {
    env: { ...process.env, PURVEY_DATA: folder },
    detached: true,
    stdio: ['ignore', 'pipe', 'inherit'],
  });
  try {
    const banner = await ready(child);
    const url = /API\s+(http:\S+)/.exec(banner)?.[1] ?? '';
    const key = /Operator key\s+(\S+)/.exec(banner)?.[1] ?? '';
    const health = await fetch(`${url}/health`);
    const list = await fetch(`${url}/v1/providers`, { headers: { 'x-operator-key': key } });
    const body = (await list.json()) as { total?: number };
    if (health.status !== 200 || list.status !== 200 || body.total !== 0)
      throw new Error(`health ${health.status}, providers ${list.status} ${JSON.stringify(body)}`);
    console.log(`npm start answers at ${url}`);
  } catch (error) {
    failures.push('npm start');
    console.error(error);
  } finally {
    if (child.pid !== undefined) process.kill(-child.pid, 'SIGKILL');
    rmSync(folder, { recursive: true, force: true });
  }
}

function ready(child: ChildProcess): Promise<string> {
  return new Promise((done, failed) => {
    let printed = '';
    const timeout = setTimeout(
      () => failed(new Error(`not ready after ${START_MS / 1_000} s:\n${printed}`)),
      START_MS,
    );
    child.stdout?.on('data', (chunk: Buffer) => {
      printed += chunk.toString();
      if (printed.includes('Stop with Ctrl-C')) {
        clearTimeout(timeout);
        done(printed);
      }
    });
    child.once('exit', (code) => failed(new Error(`npm start ended with ${code}:\n${printed}`)));
  });
}

rmSync('reports', { recursive: true, force: true });
process.env['CI'] ??= 'true';
step('check', 'node', 'scripts/check.ts', '--no-tests');
step('tests', 'npm', 'test');
await smoke();

const { passed, failed } = counted();
const other = failures.filter((name) => name !== 'tests');
if (other.length > 0) console.log(`\nfailed beside the tests: ${other.join(', ')}`);
console.log(`\n${passed} passed, ${failed + other.length} failed`);
process.exit(failures.length > 0 || failed > 0 ? 1 : 0);
