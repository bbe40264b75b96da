import { existsSync } from 'node:fs';

import { type Browser, chromium } from 'playwright-core';

/** Debian's. Nothing is downloaded: the machine has a browser, or the test is skipped. */
const PATHS = [process.env['CHROMIUM'], '/usr/bin/chromium'].filter((path) => path !== undefined);
const executablePath = PATHS.find((path) => existsSync(path));

const FLAGS = [
  '--headless',
  '--no-sandbox',
  '--disable-gpu',
  '--disable-quic',
  '--no-first-run',
  '--disable-background-networking',
  '--disable-component-update',
  '--disable-sync',
];

const isCi = Boolean(process.env['CI']);

/** Why browser tests are skipped, or undefined. In CI nothing is skipped: the browser must be there. */
export const skipped =
  executablePath === undefined && !isCi
    ? 'skipped: no Chromium at /usr/bin/chromium (Debian: apt-get install chromium; or set CHROMIUM to its path)'
    : undefined;

export function launch(): Promise<Browser> {
  if (executablePath === undefined) throw new Error('CI needs Chromium at /usr/bin/chromium.');
  return chromium.launch({ executablePath, args: FLAGS });
}
