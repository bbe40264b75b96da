import { type AgentEvent, type AgentServer, offerUntilTaken, openAgent } from './agent-server.ts';
import { type AgentKey, type DemoAgent, agents } from './agents.ts';
import type { Api } from './api.ts';
import { type Narrator, masked, priceOf } from './narrate.ts';

/** One agent of the story, from its registration on. */
export interface Member {
  readonly agent: DemoAgent;
  /** Its registered name, which no earlier run has taken. */
  readonly name: string;
  readonly server: AgentServer;
  readonly providerId: string;
  readonly apiKey: string;
  readonly events: readonly AgentEvent[];
  /** Records and tells what happens to it. */
  readonly report: (event: AgentEvent) => void;
}

export interface Cast {
  readonly members: readonly Member[];
  member(key: AgentKey): Member;
  subscribe(): Promise<void>;
  /** Cancels the subscriptions, so that later RFQs are not sent to closed ports, and closes the agents. */
  dismiss(): Promise<void>;
}

interface CastParts {
  readonly api: Api;
  readonly narrator: Narrator;
  /** Makes names unique, so that the story can be told again on the same instance. */
  readonly suffix: string;
}

/** Opens and registers the seven agents; they hear nothing before `subscribe`. */
export async function gatherCast({ api, narrator, suffix }: CastParts): Promise<Cast> {
  const members: Member[] = [];
  const servers: AgentServer[] = [];
  const subscriptions: { readonly apiKey: string; readonly id: string }[] = [];

  async function enlist(agent: DemoAgent): Promise<void> {
    const name = `${agent.name} (${suffix})`;
    const events: AgentEvent[] = [];
    const report = (event: AgentEvent) => {
      events.push(event);
      tellEvent(narrator, name, event);
    };
    const server = await openAgent(agent, api, report);
    servers.push(server);
    const { description, capabilities, metadata } = agent;
    const registered = await api.registerProvider({
      name,
      description,
      endpoint: server.endpoint,
      bid_webhook: server.webhookUrl,
      capabilities,
      contact_email: `${agent.key.replaceAll('_', '-')}@agents.example.com`,
      metadata,
    });
    const { provider_id: providerId, api_key: apiKey, status } = registered;
    members.push({ agent, name, server, providerId, apiKey, events, report });
    const count = `${members.length}/${agents.length} registered`;
    narrator.tell(`${count}  ${name.padEnd(26)} ${providerId}  ${masked(apiKey)}  ${status}`);
  }

  async function dismiss(): Promise<void> {
    await Promise.allSettled(
      subscriptions.map(({ apiKey, id }) => api.cancelSubscription(apiKey, id)),
    );
    await Promise.all(servers.map((server) => server.close()));
  }

  try {
    for (const agent of agents) await enlist(agent);
  } catch (error) {
    await dismiss();
    throw error;
  }

  return {
    members,
    member(key) {
      const found = members.find(({ agent }) => agent.key === key);
      if (!found) throw new Error(`the story has no ${key}`);
      return found;
    },
    async subscribe() {
      for (const { agent, name, server, providerId, apiKey } of members) {
        const { categories } = agent;
        const subscribed = await api.subscribe(apiKey, providerId, categories, server.webhookUrl);
        subscriptions.push({ apiKey, id: subscribed.subscription_id });
        server.employ({ apiKey, webhookSecret: subscribed.webhook_secret });
        const count = `${subscriptions.length}/${members.length} subscribed`;
        narrator.tell(`${count}  ${name.padEnd(26)} ${categories.join('  ')}`);
      }
    },
    dismiss,
  };
}

function tellEvent(narrator: Narrator, name: string, event: AgentEvent): void {
  switch (event.kind) {
    case 'answered':
      return narrator.tell(
        `${name} gets webhook, attempt ${event.attempt}: answers ${event.status}`,
      );
    case 'ignored':
      return narrator.tell(`${name} gets webhook, attempt ${event.attempt}: does not answer`);
    case 'quoted':
      return narrator.good(`${name} quotes ${priceOf(event.offer)}: "${event.offer.message}"`);
    case 'refused':
      narrator.refused(`${name} quotes ${priceOf(event.offer)}: refused`);
      return narrator.tell(`  ${event.refusal.reason}`);
    case 'broken':
      return narrator.refused(`${name} fails: ${String(event.error)}`);
  }
}

/** The agent quotes unasked, or too late: it reports what comes of it. */
export const tryToQuote = (api: Api, { agent, apiKey, report }: Member, path: string) =>
  offerUntilTaken({ api, apiKey, quotesUrl: path, offers: agent.offers, report });

/** Undefined for a provider that is not of this story. */
export const keyOf = ({ members }: Cast, providerId: string): AgentKey | undefined =>
  members.find((member) => member.providerId === providerId)?.agent.key;

export const nameOf = ({ members }: Cast, providerId: string): string =>
  members.find((member) => member.providerId === providerId)?.name ?? providerId;
