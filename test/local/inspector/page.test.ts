import { spawnSync } from 'node:child_process';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';

import { startTestPurvey, type TestPurvey } from '../../support/purvey.ts';
import { raw } from './support.ts';

let purvey: TestPurvey;
beforeAll(async () => void (purvey = await startTestPurvey()));
afterAll(() => purvey.close());

describe('the page', () => {
  it.each(['/_local', '/_local/'])('is served at %s, without a key, to look at', async (path) => {
    const { status, headers, text } = await raw(purvey, path);
    expect(status).toBe(200);
    expect(headers['content-type']).toBe('text/html; charset=utf-8');
    expect(text).toContain('<title>Purvey');
  });

  it('loads nothing from elsewhere, and everything it names is there', async () => {
    const seen = new Set<string>();
    const visit = async (path: string): Promise<void> => {
      if (seen.has(path)) return;
      seen.add(path);
      const { status, headers, text } = await raw(purvey, path);
      expect([path, status]).toEqual([path, 200]);
      expect(headers['content-security-policy']).toMatch(/^default-src 'none'; script-src 'self';/);
      expect(headers['x-content-type-options']).toBe('nosniff');
      expect(text.replaceAll('http://www.w3.org/2000/svg', '')).not.toMatch(/https?:\/\//);
      const names = [...text.matchAll(/(?:src|href)="(\/[^"]+)"|from '\.(\/[^']+)'/g)];
      for (const [, absolute, relative] of names) await visit(absolute ?? `/_local${relative}`);
    };
    await visit('/_local');
    expect(seen).toContain('/_local/screen.js');
    expect(seen).toContain('/_local/inspector.css');
  });

  it('is not to be embedded, and no page of another name gets it', async () => {
    expect((await raw(purvey, '/_local')).headers).toMatchObject({ 'x-frame-options': 'DENY' });
    expect((await raw(purvey, '/_local', { headers: { host: 'evil.example' } })).status).toBe(403);
  });

  it.each([
    '/_local/jsconfig.json',
    '/_local/../purvey.ts',
    '/_local/%2e%2e/purvey.ts',
    '/_local/x.js',
    '/_localhost',
  ])('does not serve %s', async (path) => {
    expect((await raw(purvey, path)).status).toBe(404);
  });

  it('has types that fit', () => {
    const { status, stdout } = spawnSync(
      process.execPath,
      ['node_modules/typescript/bin/tsc', '-p', 'local/inspector/page/jsconfig.json'],
      { encoding: 'utf8' },
    );
    expect(stdout).toBe('');
    expect(status).toBe(0);
  });
});
