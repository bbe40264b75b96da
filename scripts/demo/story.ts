import { randomBytes } from 'node:crypto';
import { setTimeout as sleep } from 'node:timers/promises';
import Big from 'big.js';

import { bidders, request } from './agents.ts';
import { type Api, type Contract, type Decision, type Rfq, connect } from './api.ts';
import { type Cast, gatherCast, keyOf, nameOf, tryToQuote } from './cast.ts';
import { type DemoSummary, WentOtherwise, differences } from './expectations.ts';
import { type Narrator, grouped, masked, narrate, priceOf } from './narrate.ts';
import { summarise } from './summarise.ts';

export interface DemoOptions {
  /** A running instance that permits http and loopback endpoints, as `npm start` does. */
  readonly url: string;
  readonly operatorKey: string;
  /** Takes the story's lines; standard output when absent. */
  readonly print?: (line: string) => void;
  /** Waits between two looks at what happens; a test moves the instance's clock here instead. */
  readonly pause?: (ms: number) => Promise<void>;
}

/** Longer than the retries of a flaky agent take, and not much longer: a demo leaves little behind. */
const OPEN_FOR_MS = 10 * 60_000;
const LOOK_EVERY_MS = 250;
/** The second retry is due 15 s after the first attempt; the rest is for slow machines. */
const WAIT_MS_MAX = 90_000;

/** Everything an act needs. */
interface Scene {
  readonly api: Api;
  readonly cast: Cast;
  readonly narrator: Narrator;
  readonly pause: (ms: number) => Promise<void>;
  readonly buyerKey: string;
}

/**
 * Plays the first whole story over HTTP: seven agents register, a buyer asks, exactly the eligible are
 * told, the cheapest valid quote wins. Leaves no live subscription behind.
 *
 * @throws {WentOtherwise} naming every fact that is not as it should be
 * @throws {Refused | Unusable} when a call fails that should not
 */
export async function playDemo(options: DemoOptions): Promise<DemoSummary> {
  const { url, operatorKey, print, pause = sleep } = options;
  const narrator = narrate(print);
  const api = connect(url, operatorKey);
  // A name is taken for good, so every run has its own.
  const suffix = randomBytes(2).toString('hex');
  narrator.banner(`The first story of Purvey, run ${suffix}, on ${url}`);

  // First of all, because a wrong operator key shows here before anything is left behind.
  const buyerKey = await openAccount(api, narrator, suffix);
  narrator.step('Seven agents open their doors and register');
  const cast = await gatherCast({ api, narrator, suffix });
  try {
    const scene = { api, cast, narrator, pause, buyerKey };
    narrator.step('They subscribe to categories of work');
    await cast.subscribe();
    await vet(scene);
    const rfqId = await ask(scene);
    await listen(scene, rfqId);
    const contract = await award(scene, rfqId);
    const summary = summarise({ cast, contract, ...(await readRecord(scene, rfqId)) });
    const wrong = differences(summary);
    if (wrong.length > 0) throw new WentOtherwise(wrong);
    narrator.banner('\nThe story went as it should.');
    return summary;
  } finally {
    await cast.dismiss();
  }
}

/** An organisation with a key of its own, which the story's buyer then acts with. */
async function openAccount(api: Api, narrator: Narrator, suffix: string): Promise<string> {
  narrator.step('The operator opens an account for a buyer');
  const slug = `demo_buyer_${suffix}`;
  await api.createOrg(slug, `Demo Buyer ${suffix}`);
  const { api_key, scopes } = await api.issueOrgKey(slug, ['rfqs:read', 'rfqs:write']);
  narrator.tell(`organisation ${slug}, key ${masked(api_key)} for ${scopes.join(' and ')}`);
  return api_key;
}

async function vet({ api, cast, narrator }: Scene): Promise<void> {
  narrator.step('The operator verifies them and records scores and collateral');
  for (const { agent, name, providerId, apiKey } of cast.members) {
    const { status } = await api.verifyProvider(providerId);
    await api.recordScore(providerId, agent.score);
    await api.deposit(providerId, agent.collateral_irr, 'IRR');
    const decision = await api.eligibility(apiKey, providerId);
    tellDecision(narrator, `${status}  ${name.padEnd(26)}`, decision);
  }
}

/** Answers the id of the RFQ. */
async function ask({ api, narrator, buyerKey }: Scene): Promise<string> {
  narrator.step('The buyer asks for quotes');
  const bid_deadline = new Date(Date.now() + OPEN_FOR_MS).toISOString();
  const { rfq_id } = await api.createRfq(buyerKey, { ...request, bid_deadline });
  const { category, description, budget } = request;
  narrator.tell(`${rfq_id}  ${category}, up to ${priceOf({ ...budget, price: budget.max_price })}`);
  narrator.tell(description);
  return rfq_id;
}

const quotesPath = (rfqId: string): string => `/v1/rfqs/${rfqId}/quotes`;

async function listen(scene: Scene, rfqId: string): Promise<void> {
  scene.narrator.step('The eligible ones are told by signed webhook, and quote');
  await untilQuoted(scene, rfqId);
  scene.narrator.tell('One that was not asked tries its luck:');
  await tryToQuote(scene.api, scene.cast.member('token_bank'), quotesPath(rfqId));
}

/** Waits until all that will quote have, and the instance has noted that they were told. */
async function untilQuoted(scene: Scene, rfqId: string): Promise<void> {
  const { api, cast, narrator, pause, buyerKey } = scene;
  const startedMs = performance.now();
  for (;;) {
    const quoted = bidders.filter((key) =>
      cast.member(key).events.some(({ kind }) => kind === 'quoted'),
    ).length;
    const { counts, audit_root } = await api.rfq(buyerKey, rfqId);
    const isTried = cast.member('compliance_pay').server.attempts.size > 0;
    const isNoted = counts.delivered >= bidders.length && Boolean(audit_root);
    if (quoted === bidders.length && isTried && isNoted) return;

    const state =
      `${quoted}/${bidders.length} quotes, ` +
      `${counts.delivered} webhooks delivered, ${counts.pending} pending`;
    const elapsedMs = performance.now() - startedMs;
    if (elapsedMs > WAIT_MS_MAX)
      throw new WentOtherwise([`only this after ${WAIT_MS_MAX / 1_000} s: ${state}`]);
    narrator.waiting(state, elapsedMs);
    await pause(LOOK_EVERY_MS);
  }
}

async function award(scene: Scene, rfqId: string): Promise<Contract> {
  const { api, cast, narrator, buyerKey } = scene;
  narrator.step('The buyer takes the cheapest quote');
  // Whoever else matches and quotes gets no contract from a demo.
  const own = (await api.quotes(buyerKey, rfqId)).filter(
    ({ provider_id }) => keyOf(cast, provider_id) !== undefined,
  );
  const quotes = own.toSorted((a, b) => new Big(a.price).cmp(b.price));
  for (const quote of quotes)
    narrator.tell(
      `${quote.quote_id}  ${priceOf(quote).padStart(10)}  ${nameOf(cast, quote.provider_id)}`,
    );
  const [cheapest] = quotes;
  if (!cheapest) throw new WentOtherwise(['no quote stands']);
  const { contracts } = await api.award(buyerKey, rfqId, cheapest.quote_id);
  const [contract] = contracts;
  if (!contract) throw new WentOtherwise(['the award made no contract']);
  const winner = nameOf(cast, contract.provider_id);
  narrator.good(`contract ${contract.contract_id}: ${winner}, ${priceOf(contract)}`);
  narrator.tell('The one that never answered wakes up:');
  await tryToQuote(api, cast.member('compliance_pay'), quotesPath(rfqId));
  return contract;
}

async function readRecord(
  { api, cast, narrator, buyerKey }: Scene,
  rfqId: string,
): Promise<{ rfq: Rfq; decisions: Decision[] }> {
  narrator.step('Every decision is on record');
  const rfq = await api.rfq(buyerKey, rfqId);
  const decisions = await api.decisions(buyerKey, rfqId);
  const own = decisions.filter(({ provider_id }) => keyOf(cast, provider_id) !== undefined);
  for (const decision of own)
    tellDecision(narrator, nameOf(cast, decision.provider_id).padEnd(26), decision);
  const strangers = decisions.length - own.length;
  if (strangers > 0)
    narrator.tell(`and ${strangers} on other providers of this instance that match as well`);
  const counts = Object.entries(rfq.counts).map(([name, count]) => `${count} ${name}`);
  narrator.tell(`counts      ${counts.join(', ')}`);
  narrator.tell(`audit root  ${rfq.audit_root ?? 'none'}`);
  narrator.tell(`policy      ${own[0]?.policy_version ?? 'none'}`);
  return { rfq, decisions };
}

function tellDecision(narrator: Narrator, who: string, decision: Decision): void {
  const { eligible, reasons, score, collateral } = decision;
  const standing = `score ${score ?? 'none'}, ${grouped(collateral.amount)} ${collateral.currency}`;
  const text = `${who} ${standing.padEnd(28)}`;
  if (eligible) narrator.good(`${text} eligible`);
  else narrator.refused(`${text} ${reasons.join(', ')}`);
}
