import { type AgentKey, bidders, matching, told } from './agents.ts';
import type { Contract, Decision, Rfq } from './api.ts';

/** What happened, in facts that can be checked. */
export interface DemoSummary {
  readonly rfqId: string;
  readonly counts: Rfq['counts'];
  readonly auditRoot: string | null;
  readonly decisions: Readonly<Partial<Record<AgentKey, Decision>>>;
  /** Decisions on matching providers that others, or an interrupted run, have left on the instance. */
  readonly strangers: number;
  readonly eligible: readonly AgentKey[];
  /** The agents that have answered a webhook with success. */
  readonly delivered: readonly AgentKey[];
  /** Genuine webhooks that reached each agent, however it answered. */
  readonly attemptsByAgent: Readonly<Record<AgentKey, number>>;
  readonly webhookIdsByAgent: Readonly<Record<AgentKey, readonly string[]>>;
  readonly quotes: readonly QuoteTold[];
  readonly refusals: readonly (QuoteTold & { readonly status: number; readonly code: string })[];
  /** What broke in an agent. */
  readonly failures: readonly string[];
  readonly awardedTo: AgentKey | undefined;
  readonly contract: Contract;
}

interface QuoteTold {
  readonly agent: AgentKey;
  readonly price: string;
  readonly currency: string;
}

/** The story was told, but did not go as it should. */
export class WentOtherwise extends Error {
  override readonly name = 'WentOtherwise';

  constructor(differing: readonly string[]) {
    super(
      `The story did not go as it should:\n${differing.map((text) => `  - ${text}`).join('\n')}`,
    );
  }
}

/** Every way in which what happened differs from what should have; empty when all is well. */
export function differences(summary: DemoSummary): string[] {
  const { counts, decisions, attemptsByAgent: attempts, strangers } = summary;
  const isRefused = (agent: AgentKey, code: string) =>
    summary.refusals.some((refusal) => refusal.agent === agent && refusal.code === code);
  // What became of strangers is not ours to know, so with them a count is at least our own.
  const counted = (actual: number, own: number) => (strangers > 0 ? actual >= own : actual === own);

  const claims: Readonly<Record<string, boolean>> = {
    'each of the six that match has a decision': isSame(Object.keys(decisions), matching),
    'four of them are eligible': isSame(summary.eligible, told),
    'score 68 is below the threshold':
      decisions.legal_pay?.reasons.join() === 'score_below_threshold',
    '150,000,000 IRR is too little collateral':
      decisions.contract_pay?.reasons.join() === 'insufficient_collateral',
    'those two and the one that does not match get no webhook':
      attempts.legal_pay + attempts.contract_pay + attempts.token_bank === 0,
    'two failures are followed by a third attempt, and no fourth': attempts.budget_legal === 3,
    'success is not followed by another attempt':
      attempts.standard_legal === 1 && attempts.premium_legal === 1,
    'the silent agent is tried': attempts.compliance_pay > 0,
    'all attempts at one agent carry one webhook-id': told.every(
      (key) => summary.webhookIdsByAgent[key].length === 1,
    ),
    'the counts say the same':
      counted(counts.matched, matching.length) &&
      counted(counts.eligible, told.length) &&
      counted(counts.delivered, bidders.length) &&
      counted(counts.pending + counts.failed, told.length - bidders.length),
    'a quote in another currency is refused': isRefused('standard_legal', 'currency_mismatch'),
    'a quote over the budget is refused': isRefused('premium_legal', 'price_above_budget'),
    'a quote of one that was not asked is refused': summary.refusals.some(
      ({ agent }) => agent === 'token_bank',
    ),
    'a quote after the award is refused': isRefused('compliance_pay', 'rfq_closed'),
    'three quotes are taken, one from each that answered': isSame(
      summary.quotes.map(({ agent }) => agent),
      bidders,
    ),
    'the cheapest wins': summary.awardedTo === 'budget_legal',
    'the audit is sealed': summary.auditRoot !== null,
    [`no agent breaks ${summary.failures.join('; ')}`]: summary.failures.length === 0,
  };
  return refuted(claims);
}

/** A sentence for each claim that does not hold. */
export const refuted = (claims: Readonly<Record<string, boolean>>): string[] =>
  Object.entries(claims).flatMap(([claim, holds]) => (holds ? [] : [`it is not so that ${claim}`]));

const isSame = (actual: readonly string[], expected: readonly string[]): boolean =>
  actual.toSorted().join() === expected.toSorted().join();
