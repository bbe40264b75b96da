import { spawnSync } from 'node:child_process';
import { cpSync, globSync, mkdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { dirname } from 'node:path';
import { fileURLToPath } from 'node:url';
import { parse } from 'yaml';

// dist/ is the one artefact that every function is deployed from: compiled code, and the YAML
// configuration as JSON, so that no cold start parses YAML.
process.chdir(fileURLToPath(new URL('..', import.meta.url)));
rmSync('dist', { recursive: true, force: true });
const { status } = spawnSync('tsc', ['-p', 'tsconfig.build.json'], { stdio: 'inherit' });
if (status !== 0) process.exit(1);

for (const path of globSync('configs/**/*.yaml')) {
  const target = `dist/${path.replace(/\.yaml$/, '.json')}`;
  mkdirSync(dirname(target), { recursive: true });
  writeFileSync(target, JSON.stringify(parse(readFileSync(path, 'utf8'))));
}
const { scripts: _scripts, ...artefact } = JSON.parse(
  readFileSync('package.json', 'utf8'),
) as Record<string, unknown>;
writeFileSync(
  'dist/package.json',
  `${JSON.stringify({ ...artefact, main: 'functions/main.js' }, null, 2)}\n`,
);
cpSync('package-lock.json', 'dist/package-lock.json');
console.log('built dist/');
