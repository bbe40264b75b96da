/** What an agent offers when it is asked; the agent tries its offers in order until one is taken. */
export interface Offer {
  readonly price: string;
  readonly currency: string;
  readonly confidence: number;
  readonly message: string;
}

/** How an agent's webhook behaves. */
type Temper = 'prompt' | 'fails_twice' | 'never_answers';

export interface DemoAgent {
  /** Names the agent within the story; `name` is what it registers as. */
  readonly key: AgentKey;
  readonly name: string;
  readonly description: string;
  readonly capabilities: readonly string[];
  readonly metadata: Readonly<Record<string, unknown>>;
  readonly categories: readonly string[];
  readonly score: number;
  readonly collateral_irr: string;
  readonly temper: Temper;
  readonly offers: readonly Offer[];
}

export type AgentKey =
  | 'budget_legal'
  | 'standard_legal'
  | 'premium_legal'
  | 'legal_pay'
  | 'contract_pay'
  | 'compliance_pay'
  | 'token_bank';

/** The agents that will be told of the request and will quote. */
export const bidders: readonly AgentKey[] = ['budget_legal', 'standard_legal', 'premium_legal'];
/** All that will be told: the last one never answers. */
export const told: readonly AgentKey[] = [...bidders, 'compliance_pay'];
/** All that match, and so get a decision: the last two are not eligible. */
export const matching: readonly AgentKey[] = [...told, 'legal_pay', 'contract_pay'];

/** What the buyer asks for. The budget is in euro, so that an offer in dollars is out of place. */
export const request = {
  category: 'legal/contract_review',
  description: 'Review of a 40-page supply contract: liability, termination and data protection.',
  budget: { max_price: '500', currency: 'EUR' },
  region: 'eu',
} as const;

export const agents: readonly DemoAgent[] = [
  {
    key: 'budget_legal',
    name: 'Budget Legal AI',
    description: 'First-pass contract checks from a shared machine: cheap, and not always awake.',
    capabilities: ['contract_review', 'legal_research'],
    metadata: { languages: ['en'], turnaround_hours: 4 },
    categories: ['legal', 'legal/*', 'research/*'],
    score: 88.5,
    collateral_irr: '250000000',
    temper: 'fails_twice',
    offers: [
      {
        price: '180',
        currency: 'EUR',
        confidence: 0.78,
        message: 'Standard checklist, by tonight.',
      },
    ],
  },
  {
    key: 'standard_legal',
    name: 'Standard Legal AI',
    description: 'Clause-by-clause review with a compliance pass, at a mid-range price.',
    capabilities: ['contract_review', 'compliance_check', 'legal_research'],
    metadata: { languages: ['en', 'de'], turnaround_hours: 12 },
    categories: ['legal/contract_*', 'compliance/*'],
    score: 91,
    collateral_irr: '320000000',
    temper: 'prompt',
    offers: [
      { price: '260', currency: 'USD', confidence: 0.86, message: 'Priced in dollars by habit.' },
      { price: '240', currency: 'EUR', confidence: 0.86, message: 'The same work, in euro.' },
    ],
  },
  {
    key: 'premium_legal',
    name: 'Premium Legal AI',
    description: 'Deep review with a risk matrix, negotiation notes and a second pair of eyes.',
    capabilities: ['contract_review', 'compliance_check', 'risk_analysis', 'negotiation_support'],
    metadata: { languages: ['en', 'de', 'fr'], turnaround_hours: 48 },
    categories: ['legal/*', 'risk/*', 'negotiation/*'],
    score: 97.25,
    collateral_irr: '900000000',
    temper: 'prompt',
    offers: [
      { price: '640', currency: 'EUR', confidence: 0.97, message: 'Everything, with negotiation.' },
      {
        price: '480',
        currency: 'EUR',
        confidence: 0.95,
        message: 'Without the negotiation notes.',
      },
    ],
  },
  {
    key: 'legal_pay',
    name: 'LegalPay',
    description: 'Holds fees for legal work in escrow; one flat rate whatever the matter.',
    capabilities: ['payment_processing', 'escrow'],
    metadata: { fee_percent: 2, methods: ['card', 'balance'] },
    categories: ['payment/*', 'legal/*'],
    score: 68,
    collateral_irr: '210000000',
    temper: 'prompt',
    offers: [{ price: '20', currency: 'EUR', confidence: 0.9, message: 'Escrow only.' }],
  },
  {
    key: 'contract_pay',
    name: 'ContractPay',
    description: 'Milestone payments tied to the clauses of a contract, with rebates on big ones.',
    capabilities: ['payment_processing', 'milestones'],
    metadata: { fee_percent: 2.5, methods: ['card', 'bank_transfer', 'balance'] },
    categories: ['payment/*', 'legal/contract_review'],
    score: 75,
    collateral_irr: '150000000',
    temper: 'prompt',
    offers: [{ price: '25', currency: 'EUR', confidence: 0.9, message: 'Milestones only.' }],
  },
  {
    key: 'compliance_pay',
    name: 'CompliancePay',
    description: 'Payments with sanctions screening and an audit file for regulated buyers.',
    capabilities: ['payment_processing', 'compliance_check', 'screening'],
    metadata: { fee_percent: 3, methods: ['bank_transfer', 'wire'] },
    categories: ['payment/*', 'legal/contract_r*', 'compliance/*'],
    score: 90,
    collateral_irr: '220000000',
    temper: 'never_answers',
    offers: [{ price: '60', currency: 'EUR', confidence: 0.8, message: 'Sorry, we were away.' }],
  },
  {
    key: 'token_bank',
    name: 'Token Bank',
    description: 'Keeps token balances for agents and settles between them.',
    capabilities: ['token_banking', 'wallets'],
    metadata: { methods: ['token'] },
    categories: ['payment/*', 'travel.*'],
    score: 95,
    collateral_irr: '500000000',
    temper: 'prompt',
    offers: [{ price: '10', currency: 'EUR', confidence: 1, message: 'We heard of it elsewhere.' }],
  },
];
