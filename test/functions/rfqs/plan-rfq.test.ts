import { mkdtempSync, readFileSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, expect, it } from 'vitest';

import {
  type ReadyProvider,
  type TestPurvey,
  readyBuyer,
  readyProvider,
  rfqBody,
  startAgent,
  startTestPurvey,
} from '../../support/purvey.ts';

let purvey: TestPurvey;
let agent: Awaited<ReturnType<typeof startAgent>>;
let told: ReadyProvider;
let refused: ReadyProvider;
let rfqId: string;
const folder = mkdtempSync(join(tmpdir(), 'purvey-plan-'));
const logFile = join(folder, 'purvey.log');

beforeAll(async () => {
  purvey = await startTestPurvey({ env: { PURVEY_LOG_LEVEL: 'info', PURVEY_LOG_FILE: logFile } });
  agent = await startAgent();
  told = await readyProvider(purvey, agent.url, { score: 88.5 });
  refused = await readyProvider(purvey, agent.url, { score: 68 });
  const buyer = await readyBuyer(purvey);
  const { body } = await purvey.call('POST', '/v1/rfqs', {
    as: { org: buyer.key },
    body: rfqBody(purvey),
  });
  rfqId = body.rfq_id;
  await purvey.settle();
});

afterAll(async () => {
  await purvey.close();
  await agent.close();
  rmSync(folder, { recursive: true, force: true });
});

it('leaves one structured log line for each decision, with its reasons and the policy version', async () => {
  const lines = async () =>
    readFileSync(logFile, 'utf8')
      .split('\n')
      .filter((line) => line.includes('eligibility.decided'))
      .map((line) => JSON.parse(line) as Record<string, unknown>);
  await expect.poll(async () => (await lines()).length).toBe(2);
  const about = (id: string) =>
    lines().then((all) => all.find((line) => line['provider_id'] === id));
  expect(await about(told.id)).toMatchObject({
    severity: 'INFO',
    event: 'eligibility.decided',
    rfq_id: rfqId,
    eligible: true,
    reasons: [],
    score: 88.5,
    collateral: { amount: '250000000', currency: 'IRR' },
    policy_version: expect.stringMatching(/^sha256:[0-9a-f]{64}$/),
  });
  expect(await about(refused.id)).toMatchObject({
    eligible: false,
    reasons: ['score_below_threshold'],
  });
});
