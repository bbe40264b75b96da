import { type ChildProcess, spawn, spawnSync } from 'node:child_process';
import { existsSync, mkdtempSync, readFileSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';

/** How long `npm start` may take to say that it is ready. */
const START_MS = 60_000;

const failures: string[] = [];

/** Runs a command and says in one line how it went. */
function step(name: string, command: string, ...args: string[]): boolean {
  console.log(`\n== ${name}`);
  const { status } = spawnSync(command, args, {
    stdio: 'inherit',
    shell: process.platform === 'win32',
  });
  if (status !== 0) failures.push(name);
  return status === 0;
}

interface Counts {
  passed: number;
  failed: number;
  skipped: number;
}

/** The counts of the JUnit report that a test run wrote; none where there is no report. */
function counted(name: string): Counts {
  const path = `reports/${name}.xml`;
  const report = existsSync(path) ? readFileSync(path, 'utf8') : '';
  const [, tests = '0', failed = '0', errors = '0'] =
    /<testsuites[^>]* tests="(\d+)" failures="(\d+)" errors="(\d+)"/.exec(report) ?? [];
  const skips = [...report.matchAll(/<testsuite [^>]*skipped="(\d+)"/g)].map(([, n]) => Number(n));
  const skipped = skips.reduce((sum, n) => sum + n, 0);
  const bad = Number(failed) + Number(errors);
  return { passed: Number(tests) - bad - skipped, failed: bad, skipped };
}

/** Runs tests whose report is counted; a run that fails without a report counts as one failure. */
function testStep(name: string, command: string, ...args: string[]): Counts {
  // A test of this very command may have left one.
  rmSync(`reports/${name}.xml`, { force: true });
  const hasPassed = step(name, command, ...args);
  const counts = counted(name);
  return hasPassed || counts.failed > 0 ? counts : { ...counts, failed: 1 };
}

/** The browser tests need Debian's Chromium, and in CI they are not skipped. */
function installChromium(): void {
  if (existsSync('/usr/bin/chromium') || process.env['CHROMIUM'] !== undefined) return;
  if (!existsSync('/etc/debian_version') || process.getuid?.() !== 0) return;
  process.env['DEBIAN_FRONTEND'] = 'noninteractive';
  if (step('apt-get update', 'apt-get', 'update', '-q'))
    step('chromium', 'apt-get', 'install', '-q', '-y', 'chromium');
}

/** Starts a fresh installation as a user would, asks it three things, and stops it. */
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
    const inspector = await fetch(`${url}/_local`);
    if (inspector.status !== 200) throw new Error(`the inspector answers ${inspector.status}`);
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
const runs = [testStep('tests', 'npm', 'test')];
installChromium();
runs.push(testStep('browser', 'npm', 'run', 'test:browser'));
// Where the emulators are not installed, this says so and passes.
runs.push(testStep('emulators', 'npm', 'run', 'test:emulators'));
await smoke();

const total = (what: keyof Counts) => runs.reduce((sum, counts) => sum + counts[what], 0);
const other = failures.filter((name) => !['tests', 'browser', 'emulators'].includes(name));
if (other.length > 0) console.log(`\nfailed beside the tests: ${other.join(', ')}`);
const failed = total('failed') + other.length;
console.log(`\n${total('passed')} passed, ${failed} failed, ${total('skipped')} skipped`);
process.exit(failures.length > 0 || failed > 0 ? 1 : 0);
