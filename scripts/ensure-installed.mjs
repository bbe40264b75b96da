// Runs before every command, on whatever Node the machine has: installs what the lockfile asks for when
// it is not there yet. Plain JavaScript, because nothing is installed to read anything else.
// With `--then <script>` it goes on to run that script with the pinned Node.
import { execFileSync, spawnSync } from 'node:child_process';
import { createHash } from 'node:crypto';
import { existsSync, readFileSync, writeFileSync } from 'node:fs';
import { delimiter } from 'node:path';
import { fileURLToPath } from 'node:url';

const root = fileURLToPath(new URL('..', import.meta.url));
const stamp = `${root}node_modules/.purvey-installed`;
const wanted = createHash('sha256')
  .update(readFileSync(`${root}package-lock.json`))
  .digest('hex');
const installed = existsSync(stamp) ? readFileSync(stamp, 'utf8') : '';
const windows = process.platform === 'win32';

const major = Number(process.versions.node.split('.')[0]);
if (major < 20) {
  console.error(`Purvey needs Node 20 or later to install; this is ${process.version}.`);
  process.exit(1);
}
if (installed !== wanted) {
  console.log('Installing what package-lock.json names (once, about half a minute) …');
  execFileSync('npm', ['ci', '--no-audit', '--no-fund', '--loglevel=error'], {
    cwd: root,
    stdio: 'inherit',
    shell: windows,
  });
  writeFileSync(stamp, wanted);
}

const then = process.argv.indexOf('--then');
if (then > 0) {
  const bin = `${root}node_modules/.bin`;
  const { status } = spawnSync('node', process.argv.slice(then + 1), {
    cwd: root,
    stdio: 'inherit',
    shell: windows,
    env: { ...process.env, PATH: `${bin}${delimiter}${process.env.PATH}` },
  });
  process.exit(status ?? 1);
}
