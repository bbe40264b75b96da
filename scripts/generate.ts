import { mkdirSync, readFileSync, writeFileSync } from 'node:fs';
import { dirname } from 'node:path';
import { fileURLToPath } from 'node:url';

import { manifest } from '../shared/runtime/manifest.ts';
import { functionsTable } from './generate/functions-table.ts';
import { openApi } from './generate/openapi.ts';

const USAGE = `Usage: npm run generate [-- --check]

Writes what follows from the manifest and the functions: docs/api/openapi.json and the table of
functions in README.md. With --check nothing is written; a stale file fails.`;

const check = process.argv.includes('--check');
if (process.argv.includes('--help')) {
  console.log(USAGE);
  process.exit(0);
}

const root = fileURLToPath(new URL('..', import.meta.url));
const current = (path: string): string => {
  try {
    return readFileSync(root + path, 'utf8');
  } catch {
    return '';
  }
};

const generated: Record<string, string> = {
  'docs/api/openapi.json': `${JSON.stringify(await openApi(manifest()), null, 2)}\n`,
  'README.md': await functionsTable(manifest(), current('README.md')),
};

let stale = false;
for (const [path, content] of Object.entries(generated)) {
  if (current(path) === content) continue;
  if (check) {
    stale = true;
    console.error(`${path} is out of date; run: npm run generate`);
  } else {
    mkdirSync(dirname(root + path), { recursive: true });
    writeFileSync(root + path, content);
    console.log(`wrote ${path}`);
  }
}
process.exit(stale ? 1 : 0);
