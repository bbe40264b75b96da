import { readFileSync } from 'node:fs';

/** The page and what it loads, by path; read at each request, so that an edit shows on reload. */
const FILES: Record<string, readonly [file: string, type: string]> = {
  '/_local': ['index.html', 'text/html; charset=utf-8'],
  '/_local/inspector.js': ['inspector.js', 'text/javascript; charset=utf-8'],
  '/_local/inspector.css': ['inspector.css', 'text/css; charset=utf-8'],
  '/_local/icon.svg': ['icon.svg', 'image/svg+xml'],
};

export function pageFile(path: string): { readonly type: string; readonly body: Buffer } | undefined {
  const [file, type] = FILES[path === '/_local/' ? '/_local' : path] ?? [];
  if (file === undefined || type === undefined) return undefined;
  return { type, body: readFileSync(new URL(`./page/${file}`, import.meta.url)) };
}
