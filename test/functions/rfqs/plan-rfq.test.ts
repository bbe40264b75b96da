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

it('decides about everybody after the deadline, but tells nobody any more', async () => {
  const buyer = await readyBuyer(purvey, 'late_buyer');
  const withdraw = purvey.cloud.faults.inject({
    rpc: 'CreateTask',
    times: 100,
    action: { kind: 'fail', code: 'UNAVAILABLE' },
  });
  const { body } = await purvey.call('POST', '/v1/rfqs', {
    as: { org: buyer.key },
    body: rfqBody(purvey),
  });
  withdraw();
  const before = agent.received.length;
  await purvey.clock.advance(2 * 3_600_000);
  await purvey.settle();
  const rfq = await purvey.call('GET', `/v1/rfqs/${body.rfq_id}`, { as: { org: buyer.key } });
  expect(rfq.body.counts).toMatchObject({ matched: 2, eligible: 1, delivered: 0, failed: 0 });
  expect(agent.received.length).toBe(before);
});
