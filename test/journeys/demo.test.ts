import { setTimeout as sleep } from 'node:timers/promises';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';

import { type Purvey, startPurvey } from '../../local/purvey.ts';
import type { DemoSummary } from '../../scripts/demo/expectations.ts';
import { playDemo } from '../../scripts/demo/story.ts';

let purvey: Purvey;

beforeAll(async () => {
  purvey = await startPurvey({
    port: 0,
    env: { ALLOW_INSECURE_ENDPOINTS: 'true', PURVEY_LOG_LEVEL: 'silent' },
  });
});
afterAll(async () => {
  // The delivery that the silent agent left hanging has ended with the agent.
  await purvey.cloud.idle();
  await purvey.close();
});

/** Plays the story with the instance's clock moved on wherever the story waits. */
async function play(): Promise<{ summary: DemoSummary; lines: readonly string[] }> {
  const lines: string[] = [];
  const summary = await playDemo({
    url: purvey.url,
    operatorKey: purvey.operatorKey,
    print: (line) => lines.push(line),
    pause: async (ms) => {
      await purvey.cloud.clock.advance(4 * ms);
      await sleep(20);
    },
  });
  return { summary, lines };
}

describe('the demo story', () => {
  let summary: DemoSummary;
  let lines: readonly string[];

  beforeAll(async () => {
    ({ summary, lines } = await play());
  });

  test('tells exactly the eligible agents', () => {
    expect(summary.eligible.toSorted()).toEqual([
      'budget_legal',
      'compliance_pay',
      'premium_legal',
      'standard_legal',
    ]);
    expect(summary.attemptsByAgent).toMatchObject({ legal_pay: 0, contract_pay: 0, token_bank: 0 });
  });

  test('records a decision with its reasons for all six agents that match', () => {
    expect(Object.keys(summary.decisions)).toHaveLength(6);
    expect(summary.decisions).not.toHaveProperty('token_bank');
    expect(summary.decisions.legal_pay).toMatchObject({
      eligible: false,
      reasons: ['score_below_threshold'],
      score: 68,
    });
    expect(summary.decisions.contract_pay).toMatchObject({
      eligible: false,
      reasons: ['insufficient_collateral'],
      collateral: { amount: '150000000', currency: 'IRR' },
    });
    expect(summary.auditRoot).toMatch(/[0-9a-f]{64}/);
  });

  test('tries an agent that fails twice a third time, under one webhook-id', () => {
    expect(summary.attemptsByAgent.budget_legal).toBe(3);
    expect(summary.webhookIdsByAgent.budget_legal).toHaveLength(1);
    expect(summary.attemptsByAgent).toMatchObject({ standard_legal: 1, premium_legal: 1 });
  });

  test('does not count the agent that never answers as delivered', () => {
    expect(summary.attemptsByAgent.compliance_pay).toBeGreaterThan(0);
    expect(summary.delivered).not.toContain('compliance_pay');
    const { failed, pending, ...counts } = summary.counts;
    expect(counts).toEqual({ matched: 6, eligible: 4, delivered: 3 });
    expect(failed + pending).toBe(1);
  });

  test('refuses the quotes that break the rules, and says which', () => {
    expect(summary.refusals).toMatchObject(
      expect.arrayContaining([
        expect.objectContaining({
          agent: 'standard_legal',
          status: 422,
          code: 'currency_mismatch',
        }),
        expect.objectContaining({
          agent: 'premium_legal',
          status: 422,
          code: 'price_above_budget',
        }),
        expect.objectContaining({ agent: 'token_bank', status: 404, code: 'not_found' }),
        expect.objectContaining({ agent: 'compliance_pay', status: 409, code: 'rfq_closed' }),
      ]),
    );
    expect(summary.refusals).toHaveLength(4);
  });

  test('awards the cheapest of the quotes that stand', () => {
    expect(summary.quotes.map(({ price }) => price).toSorted()).toEqual(['180', '240', '480']);
    expect(summary.awardedTo).toBe('budget_legal');
    expect(summary.contract).toMatchObject({ price: '180', currency: 'EUR' });
  });

  test('shows no secret, and no colour where there is no terminal', () => {
    const told = lines.join('\n');
    expect(told).toContain('aex_pk_live_…');
    expect(told).not.toMatch(/(?:aex_[ps]k_live_|pv_org_|whsec_)[A-Za-z0-9+/]/);
    expect(told).not.toContain(purvey.operatorKey);
    expect(told).not.toContain('\u001b');
  });

  test('can be told again on the same instance', async () => {
    const { summary: again } = await play();
    expect(again.strangers).toBe(0);
    expect(again.rfqId).not.toBe(summary.rfqId);
    expect(again.awardedTo).toBe('budget_legal');
  });
});
