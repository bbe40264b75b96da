import type { Browser, Page } from 'playwright-core';
import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, it } from 'vitest';

import {
  readyBuyer,
  readyProvider,
  rfqBody,
  startAgent,
  startTestPurvey,
  type TestPurvey,
} from '../support/purvey.ts';
import { launch, skipped } from './chromium.ts';

if (skipped) process.stderr.write(`${skipped}\n`);

describe.skipIf(skipped)('the inspector in a browser', () => {
  let purvey: TestPurvey;
  let agent: Awaited<ReturnType<typeof startAgent>>;
  let browser: Browser;
  let page: Page;
  /** What the page complained about, and what it asked elsewhere. */
  let complaints: string[];
  let isUp = false;

  beforeAll(async () => {
    purvey = await startTestPurvey();
    agent = await startAgent(() => (isUp ? 200 : 503));
    await readyProvider(purvey, agent.url, { name: 'Lisbon Travel Agent' });
    const buyer = await readyBuyer(purvey);
    await purvey.call('POST', '/v1/rfqs', { as: { org: buyer.key }, body: rfqBody(purvey) });
    await purvey.settle();
    browser = await launch();
  });
  afterAll(async () => {
    await browser?.close();
    await purvey?.close();
    await agent?.close();
  });
  beforeEach(async () => {
    complaints = [];
    page = await browser.newPage({ viewport: { width: 1360, height: 860 } });
    page.on('pageerror', (error) => complaints.push(String(error)));
    page.on('console', (message) => {
      if (['error', 'warning'].includes(message.type())) complaints.push(message.text());
    });
    page.on('request', (request) => {
      if (!request.url().startsWith(purvey.url)) complaints.push(request.url());
    });
    await page.goto(`${purvey.url}/_local`);
  });
  afterEach(() => page.close());

  const shot = (name: string) => page.screenshot({ path: `reports/inspector-${name}.png` });
  const enter = async () => {
    await page.getByLabel('Operator key').fill(purvey.operatorKey);
    await page.keyboard.press('Enter');
    await page.getByRole('navigation', { name: 'Views' }).waitFor();
  };
  const view = (name: string) =>
    page.getByRole('navigation', { name: 'Views' }).getByRole('link', { name }).click();

  it('asks for the key once, and keeps a wrong one out', async () => {
    await page.getByLabel('Operator key').fill('pv_op_wrong');
    await page.keyboard.press('Enter');
    await page.getByRole('status').filter({ hasText: 'not the one' }).waitFor();
    await enter();
    await page.reload();
    await page
      .getByRole('link', { name: /providers/ })
      .first()
      .waitFor();
    // The refusal of the wrong key is on the console, as it should be.
    expect(complaints.filter((text) => !text.includes('401'))).toEqual([]);
  });

  it('shows a stored document with its types', async () => {
    await enter();
    await page.getByRole('link', { name: /^providers\s*\d/ }).click();
    await page.getByRole('link', { name: /Lisbon Travel Agent/ }).click();
    const document = page.getByRole('region', { name: 'Document', exact: true });
    await document.getByText('"Lisbon Travel Agent"').waitFor();
    await document.getByText('map · 3 fields').first().waitFor();
    await shot('documents');
    expect(complaints).toEqual([]);
  });

  it('keeps what the reader has opened and focused while it refreshes', async () => {
    await enter();
    await view('Tasks');
    const payload = page.getByText(/^POST, \d+ bytes$/).first();
    await payload.click();
    await payload.focus();
    const details = page.locator('details[open]');
    await details.evaluate((node) => node.setAttribute('data-test', 'same'));
    await page.waitForResponse((response) => response.url().endsWith('/api/queues'));
    await page.waitForResponse((response) => response.url().endsWith('/api/queues'));
    expect(await details.locator('pre').textContent()).toContain('rfq_id');
    expect(await page.evaluate('document.activeElement.tagName')).toBe('SUMMARY');
  });

  it('shows a queued task, and moves the clock until it runs', async () => {
    await enter();
    await view('Tasks');
    const queue = page.getByRole('region', { name: 'Queue rfq-deliveries' });
    await queue.getByText('deliver-rfq').first().waitFor();
    await shot('tasks');
    isUp = true;
    const told = agent.received.length;
    await page.getByRole('button', { name: '+1 min' }).click();
    await page.getByRole('status').filter({ hasText: 'moved 1 min' }).waitFor();
    await queue.getByText('No task is queued').waitFor();
    expect(agent.received.length).toBe(told + 1);
    expect(await page.locator('#now').textContent()).toContain('10:01:00');
    await view('Deliveries');
    await page.getByRole('cell', { name: 'rfq-deliveries' }).first().waitFor();
    await shot('deliveries');
    expect(complaints).toEqual([]);
  });

  it('runs a schedule by the keyboard alone', async () => {
    await enter();
    await view('Schedules');
    const run = page.getByRole('row', { name: /relay-outbox/ }).getByRole('button');
    await run.focus();
    await page.keyboard.press('Enter');
    await page.getByRole('status').filter({ hasText: 'relay-outbox: run' }).waitFor();
    await page
      .getByRole('row', { name: /relay-outbox/ })
      .getByText('OK')
      .waitFor();
    expect(complaints).toEqual([]);
  });

  it('is readable in the dark and on a narrow screen', async () => {
    await page.emulateMedia({ colorScheme: 'dark' });
    await enter();
    await view('Counters');
    await page.getByText('reads', { exact: true }).waitFor();
    await shot('dark');
    await page.setViewportSize({ width: 420, height: 860 });
    await view('Documents');
    await page.getByRole('heading', { name: 'Collections' }).waitFor();
    expect(await page.evaluate('document.documentElement.scrollWidth')).toBeLessThanOrEqual(420);
    await shot('narrow');
    expect(complaints).toEqual([]);
  });
});
