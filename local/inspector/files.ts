import { readdirSync, readFileSync } from 'node:fs';

const FOLDER = new URL('./page/', import.meta.url);
const TYPES: Record<string, string> = {
  html: 'text/html; charset=utf-8',
  js: 'text/javascript; charset=utf-8',
  css: 'text/css; charset=utf-8',
  svg: 'image/svg+xml',
};

/** What /_local/<name> may name; nothing else of the disk is ever read. */
const names = new Set(readdirSync(FOLDER));

/** The page or what it loads; read at each request, so that an edit shows on reload. */
export function pageFile(
  path: string,
): { readonly type: string; readonly body: Buffer } | undefined {
  const name = path.replace(/^\/_local\/?/, '') || 'index.html';
  const type = TYPES[name.split('.').at(-1) ?? ''];
  if (type === undefined || !names.has(name)) return undefined;
  return { type, body: readFileSync(new URL(name, FOLDER)) };
}
