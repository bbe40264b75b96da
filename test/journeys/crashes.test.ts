import { afterAll, beforeAll, describe, expect, test } from 'vitest';

import { verifyChain } from '../../shared/eligibility/audit.ts';
import {
  type ReadyProvider,
  type TestPurvey,
  readyBuyer,
  readyProvider,
  rfqBody,
  startAgent,
  startTestPurvey,
} from '../support/purvey.ts';
import {
  about,
  listenTo,
  nextCrash,
  openRfq,
  passRelay,
  readDecisions,
  readRfq,
  recordScore,
  restartAfterCrash,
  storedIn,
  storedPages,
  storedRfqs,
  textOf,
  webhookIds,
  ignoreTheDead,
} from './support.ts';

/** Scores before the RFQ; and after the crash, when the first two have changed places. */
const before = { falling: 90, rising: 60, steady: 80 };
const after = { falling: 50, rising: 95, steady: 80 };
type Name = keyof typeof before;
const names = Object.keys(before) as Name[];
const eligibleBefore: Name[] = ['falling', 'steady'];
const eligibleAfter: Name[] = ['rising', 'steady'];

let purvey: TestPurvey;
let agent: Awaited<ReturnType<typeof startAgent>>;
let buyer: { key: string };
const providers = {} as Record<Name, ReadyProvider>;

beforeAll(async () => {
  ignoreTheDead();
  purvey = await startTestPurvey();
  agent = await startAgent();
  for (const name of names)
    providers[name] = await readyProvider(purvey, agent.url, { name, path: `/${name}` });
  buyer = await readyBuyer(purvey);
});
afterAll(async () => {
  await purvey.close();
  await agent.close();
});

const scoreAll = async (scores: Record<Name, number>): Promise<void> => {
  for (const name of names) await recordScore(purvey, providers[name].id, scores[name]);
};

/**
 * Has a buyer open an RFQ on an installation that dies after `n` further RPCs, starts it again with
 * other scores, and has the buyer repeat the request whose answer may have got lost.
 *
 * @returns null when everything was done after fewer RPCs
 */
async function playWithCrashAfter(n: number) {
  await scoreAll(before);
  const description = `crash-after-${n}`;
  const body = rfqBody(purvey, { description });
  const request = () => openRfq(purvey, buyer, body, { 'idempotency-key': description });
  const crash = nextCrash(purvey);
  purvey.cloud.faults.inject({ rpc: '*', after: n, action: { kind: 'crash' } });
  const first = request().catch(() => undefined);
  const end = await Promise.race([
    crash.then(() => 'crashed'),
    first.then(() => purvey.settle()).then(() => 'done'),
  ]);
  if (end === 'done') {
    purvey.cloud.faults.clear();
    return null;
  }

  await restartAfterCrash(purvey);
  await purvey.settle();
  const [rfq] = storedRfqs(purvey, description);
  const hashes = storedIn(purvey, `rfqs/${rfq?.id}/pages`).map((page) => textOf(page, 'hash'));
  await scoreAll(after);
  await passRelay(purvey);
  const { rfq_id: rfqId } = await request();
  await purvey.settle();
  return { rfqId, description, hashes };
}

describe('a crash after any RPC between a request and its last webhook', () => {
  test('loses nothing, tells everybody as first decided, and counts each once', async () => {
    const events = await listenTo(purvey, 'aex-bid-events');
    let decidedBefore = 0;
    let n = 0;
    for (; ; n++) {
      const played = await playWithCrashAfter(n);
      if (!played) break;
      const { rfqId, description, hashes } = played;
      const at = `crash after RPC ${n}`;

      const rfq = await readRfq(purvey, buyer, rfqId);
      const pages = await storedPages(purvey, rfqId);
      expect(storedRfqs(purvey, description), at).toHaveLength(1);
      expect(verifyChain(pages), at).toEqual({ intact: true, root: rfq.audit_root });

      const decisions = await readDecisions(purvey, buyer, rfqId);
      const isEligible = (name: Name) =>
        decisions.find((each) => each.provider_id === providers[name].id)?.eligible === true;
      const eligible = names.filter(isEligible);
      const wasDecided = hashes.length > 0;
      if (wasDecided) decidedBefore++;
      expect(eligible, at).toEqual(wasDecided ? eligibleBefore : eligibleAfter);
      expect(pages, at).toHaveLength(1);
      expect([pages[0]?.hash, undefined], at).toContain(hashes[0]);

      const told = about(agent.received, rfqId);
      const paths = eligible.map((name) => `/${name}`);
      expect([...new Set(told.map(({ path }) => path))].toSorted(), at).toEqual(paths);
      for (const path of paths)
        expect(webhookIds(told.filter((each) => each.path === path)), at).toHaveLength(1);
      const counts = { matched: 3, eligible: 2, delivered: 2, failed: 0, pending: 0 };
      expect(rfq.counts, at).toEqual(counts);

      expect(storedIn(purvey, 'outbox'), at).toHaveLength(0);
      expect(purvey.cloud.tasks.tasks(), at).toHaveLength(0);
      const published = (await events()).filter(({ data }) => data.rfq_id === rfqId);
      expect(new Set(published.map(({ event_id }) => event_id)).size, at).toBe(2);
    }
    // The loop went all the way, and struck before as well as after the page was stored.
    expect(n).toBeGreaterThan(15);
    expect(decidedBefore).toBeGreaterThan(5);
    expect(decidedBefore).toBeLessThan(n);
  }, 120_000);
});
