import type { AgentKey } from './agents.ts';
import type { Contract, Decision, Rfq } from './api.ts';
import { type Cast, type Member, keyOf } from './cast.ts';
import type { DemoSummary } from './expectations.ts';

interface Outcome {
  readonly cast: Cast;
  readonly contract: Contract;
  readonly rfq: Rfq;
  readonly decisions: readonly Decision[];
}

/** What happened, from both sides: what the agents saw, and what the instance says. */
export function summarise({ cast, contract, rfq, decisions }: Outcome): DemoSummary {
  const own: Partial<Record<AgentKey, Decision>> = {};
  for (const decision of decisions) {
    const key = keyOf(cast, decision.provider_id);
    if (key) own[key] = decision;
  }
  const keysWhere = (holds: (member: Member) => boolean) =>
    cast.members.filter(holds).map(({ agent }) => agent.key);
  const happened = cast.members.flatMap(({ agent, events }) =>
    events.map((event) => ({ agent: agent.key, event })),
  );
  return {
    rfqId: rfq.rfq_id,
    counts: rfq.counts,
    auditRoot: rfq.audit_root ?? null,
    decisions: own,
    strangers: decisions.filter(({ provider_id }) => !keyOf(cast, provider_id)).length,
    eligible: keysWhere(({ agent }) => own[agent.key]?.eligible === true),
    delivered: keysWhere(({ events }) =>
      events.some((event) => event.kind === 'answered' && event.status === 200),
    ),
    attemptsByAgent: perAgent(cast, ({ server }) =>
      [...server.attempts.values()].reduce((total, count) => total + count, 0),
    ),
    webhookIdsByAgent: perAgent(cast, ({ server }) => [...server.attempts.keys()]),
    quotes: happened.flatMap(({ agent, event }) =>
      event.kind === 'quoted' ? [{ agent, ...event.offer }] : [],
    ),
    refusals: happened.flatMap(({ agent, event }) =>
      event.kind === 'refused'
        ? [{ agent, ...event.offer, status: event.refusal.status, code: event.refusal.code }]
        : [],
    ),
    failures: happened.flatMap(({ agent, event }) =>
      event.kind === 'broken' ? [`${agent}: ${String(event.error)}`] : [],
    ),
    awardedTo: keyOf(cast, contract.provider_id),
    contract,
  };
}

const perAgent = <T>(cast: Cast, read: (member: Member) => T) =>
  Object.fromEntries(cast.members.map((member) => [member.agent.key, read(member)])) as Record<
    AgentKey,
    T
  >;
