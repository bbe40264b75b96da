import { type EligibilityDecision, decide } from '../eligibility/decision.ts';
import type { EligibilityPolicy } from '../eligibility/policy.ts';
import { AppError, notFound } from '../errors.ts';
import { derivedId } from '../ids.ts';
import { matches } from '../matching/schema.ts';
import { decimalToNumber } from '../money/decimal.ts';
import type { ProviderRegistry } from '../providers/config.ts';
import { ref } from '../store/collection.ts';
import {
  type Command,
  type Decision,
  type Docs,
  type DomainEvent,
  create,
  set,
} from '../store/decision.ts';
import { type Quote, quoteRef } from './quote.ts';
import { type Contract, type Rfq, contracts, rfqs } from './schema.ts';
import { demandsOf } from './terms.ts';

export interface AwardCommand extends Command {
  readonly rfq_id: string;
  readonly quote_id: string;
  /** Whose quote it is, found before the transaction. */
  readonly provider_id: string;
  /** The buyer who awards; null for the operator. */
  readonly org_slug: string | null;
  readonly policy: EligibilityPolicy;
  readonly policy_version: string;
  readonly registry: ProviderRegistry;
}

export interface Awarded {
  readonly rfq_id: string;
  readonly status: 'AWARDED';
  readonly contracts: readonly Pick<
    Contract,
    'contract_id' | 'provider_id' | 'price' | 'currency'
  >[];
}

export const awardRefs = ({
  rfq_id,
  provider_id,
}: Pick<AwardCommand, 'rfq_id' | 'provider_id'>) => ({
  rfq: ref(rfqs, rfq_id),
  quote: quoteRef(rfq_id, provider_id),
  match: ref(matches, provider_id),
});

/**
 * Awards an RFQ to one quote: once, to a quote of this RFQ that its provider has not replaced and who is
 * still eligible. Awarding the same quote again answers the same.
 *
 * @throws {AppError} `not_found` for another's RFQ or quote, `rfq_closed`, `conflict` for a quote that was
 *   replaced, or `not_eligible` with the reasons
 */
export function awardRfq(
  { rfq, quote, match }: Docs<ReturnType<typeof awardRefs>>,
  command: AwardCommand,
): Decision<Awarded> {
  if (!rfq || (command.org_slug !== null && rfq.org_slug !== command.org_slug))
    throw notFound('RFQ');
  if (rfq.award?.quote_ids.includes(command.quote_id))
    return { writes: [], reply: awarded(rfq.rfq_id, rfq.award.contracts) };
  if (rfq.status !== 'OPEN')
    throw new AppError('rfq_closed', `The RFQ is ${rfq.status}; only an OPEN one can be awarded.`);
  if (!quote || !match) throw notFound('quote');
  // Replaced since it was found: other terms than the buyer has seen.
  if (quote.quote_id !== command.quote_id)
    throw new AppError(
      'conflict',
      'The provider has replaced this quote; look at the quotes again.',
    );

  const { policy, policy_version, registry, at } = command;
  const grounds = {
    policy,
    policy_version,
    category: rfq.category,
    demands: demandsOf(rfq, registry),
  };
  const decision = decide(match, null, grounds, at);
  if (!decision.eligible)
    throw new AppError(
      'not_eligible',
      `The provider is no longer eligible (${decision.reasons.join(', ')}). Award another quote.`,
      { details: { reasons: decision.reasons, policy_version } },
    );
  const contract = newContract(rfq, quote, decision, at);
  const next: Rfq = {
    ...rfq,
    status: 'AWARDED',
    award: {
      quote_ids: [quote.quote_id],
      contracts: awarded(rfq.rfq_id, [contract]).contracts.slice(),
      awarded_at: contract.awarded_at,
    },
    updated_at: contract.awarded_at,
    version: rfq.version + 1,
  };
  const wonQuote: Quote = {
    ...quote,
    status: 'AWARDED',
    updated_at: contract.awarded_at,
    version: quote.version + 1,
  };
  return {
    writes: [
      create(ref(contracts, contract.contract_id), contract),
      set(ref(rfqs, rfq.rfq_id), next),
      set(quoteRef(rfq.rfq_id, quote.provider_id), wonQuote),
    ],
    events: [contractAwarded(contract, match.endpoint)],
    reply: awarded(rfq.rfq_id, [contract]),
  };
}

const newContract = (
  rfq: Rfq,
  quote: Quote,
  eligibility: EligibilityDecision,
  at: Date,
): Contract => ({
  contract_id: derivedId('con', rfq.rfq_id, quote.quote_id),
  rfq_id: rfq.rfq_id,
  quote_id: quote.quote_id,
  provider_id: quote.provider_id,
  org_slug: rfq.org_slug,
  status: 'AWARDED',
  category: rfq.category,
  price: quote.price,
  currency: quote.currency,
  provider_confidence: quote.confidence,
  max_latency_ms: rfq.max_latency_ms,
  success_criteria: rfq.success_criteria,
  cpa_terms: rfq.cpa_terms,
  eligibility,
  awarded_at: at.toISOString(),
  created_at: at.toISOString(),
  updated_at: at.toISOString(),
  version: 1,
});

/** In the exchange's names: its work is our RFQ, its bid our quote, its consumer our buyer. */
const contractAwarded = (contract: Contract, endpoint: string): DomainEvent => ({
  topic: 'aex-contract-events',
  type: 'contract.awarded',
  subject: ref(contracts, contract.contract_id).path,
  version: contract.version,
  fields: {
    contract_id: contract.contract_id,
    work_id: contract.rfq_id,
    bid_id: contract.quote_id,
    provider_id: contract.provider_id,
    consumer_id: contract.org_slug,
    category: contract.category,
    agreed_price: decimalToNumber(contract.price),
    currency: contract.currency,
    max_latency_ms: contract.max_latency_ms,
    cpa_terms: contract.cpa_terms && {
      success_criteria: contract.success_criteria.map((criterion) => ({
        ...criterion,
        bonus: decimalToNumber(criterion.bonus),
        penalty: decimalToNumber(criterion.penalty),
      })),
      max_bonus: decimalToNumber(contract.cpa_terms.max_bonus),
      max_penalty_rate: contract.cpa_terms.max_penalty_rate,
    },
    a2a_endpoint: endpoint,
    awarded_at: contract.awarded_at,
  },
});

const awarded = (rfqId: string, agreed: Awarded['contracts']): Awarded => ({
  rfq_id: rfqId,
  status: 'AWARDED',
  contracts: agreed.map(({ contract_id, provider_id, price, currency }) => ({
    contract_id,
    provider_id,
    price,
    currency,
  })),
});
