import { afterAll, beforeAll, describe, expect, test } from 'vitest';

import type { EligibilityDecision } from '../../shared/eligibility/decision.ts';
import {
  type Reply,
  type TestPurvey,
  readyBuyer,
  readyProvider,
  startAgent,
  startTestPurvey,
} from '../support/purvey.ts';
import { openRfq, readDecisions, readRfq } from './support.ts';

/** Score and collateral in IRR; the policy asks for 70 and 200 million. */
const seeds = [
  { name: 'first', score: 88.5, collateral: '250000000' },
  { name: 'second', score: 75, collateral: '150000000' },
  { name: 'third', score: 90, collateral: '220000000' },
  { name: 'fourth', score: 68, collateral: '210000000' },
] as const;

let purvey: TestPurvey;
let agent: Awaited<ReturnType<typeof startAgent>>;
let rfq: Reply['body'];
const decisions = new Map<string, EligibilityDecision>();

beforeAll(async () => {
  purvey = await startTestPurvey();
  agent = await startAgent();
  const names = new Map<string, string>();
  for (const seed of seeds) {
    const { id } = await readyProvider(purvey, agent.url, { ...seed, path: `/${seed.name}` });
    names.set(id, seed.name);
  }
  const buyer = await readyBuyer(purvey);
  const { rfq_id } = await openRfq(purvey, buyer);
  await purvey.settle();
  rfq = await readRfq(purvey, buyer, rfq_id);
  for (const decision of await readDecisions(purvey, buyer, rfq_id))
    decisions.set(names.get(decision.provider_id) ?? 'unknown', decision);
});
afterAll(async () => {
  await purvey.close();
  await agent.close();
});

describe('of providers with 88.5/250M, 75/150M, 90/220M and 68/210M', () => {
  test('exactly the first and the third are told', () => {
    expect(agent.received.map(({ path }) => path).toSorted()).toEqual(['/first', '/third']);
    expect(rfq.counts).toMatchObject({ matched: 4, eligible: 2, delivered: 2 });
  });

  test.each([
    ['first', []],
    ['second', ['insufficient_collateral']],
    ['third', []],
    ['fourth', ['score_below_threshold']],
  ])('the %s is decided with the reasons %j', (name, reasons) => {
    expect(decisions.get(name)).toMatchObject({ eligible: reasons.length === 0, reasons });
  });

  test.each(seeds)('the decision about the $name holds $score and $collateral', (seed) => {
    expect(decisions.get(seed.name)).toMatchObject({
      score: seed.score,
      collateral: { amount: seed.collateral, currency: 'IRR' },
    });
  });
});
