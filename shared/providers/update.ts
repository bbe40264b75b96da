import { canonicalJson } from '../canonical-json.ts';
import { AppError, notFound } from '../errors.ts';
import { withBidWebhook, withProvider } from '../matching/compose.ts';
import { matches } from '../matching/schema.ts';
import { ref } from '../store/collection.ts';
import {
  type Command,
  type Decision,
  type Docs,
  type DomainEvent,
  type Write,
  create,
  remove,
  set,
} from '../store/decision.ts';
import { withPriorities } from './cpa-profile.ts';
import { nameId } from './name.ts';
import {
  type Provider,
  type ProviderName,
  type UpdateProvider,
  providerNames,
  providers,
} from './schema.ts';
import { searchTerms } from './search-terms.ts';
import { requireHttps } from './url.ts';

export interface UpdateCommand extends Command {
  readonly provider_id: string;
  readonly request: UpdateProvider;
  /** The webhook of its own, or null, of each active subscription; read only for a new bid_webhook. */
  readonly own_webhooks: ReadonlyMap<string, string | null>;
  readonly allow_insecure_endpoints: boolean;
}

export const updateRefs = ({
  provider_id,
  request,
}: Pick<UpdateCommand, 'provider_id' | 'request'>) => ({
  provider: ref(providers, provider_id),
  match: ref(matches, provider_id),
  // No provider has a blank name: where none is given, this is absent.
  name: ref(providerNames, nameId(request.name ?? '')),
});

/**
 * Changes what a provider says about itself; who matches follows in the same commit. A new name is
 * reserved and the former one is free from then on; a check of the former endpoint proves nothing about
 * another. An update that changes nothing leaves the version as it is.
 *
 * @throws {AppError} `not_found`; `conflict` for an archived provider, a version that is not the present
 *   one, or a bid_webhook that subscriptions still need; `name_taken`; `invalid_request` for plain http
 */
export function update(
  { provider, match, name }: Docs<ReturnType<typeof updateRefs>>,
  command: UpdateCommand,
): Decision<Provider> {
  const { provider_id, request, at } = command;
  if (!provider || !match) throw notFound('provider');
  if (provider.status === 'INACTIVE')
    throw new AppError('conflict', 'The provider is archived, and that is final.');
  if (name && name.provider_id !== provider_id)
    throw new AppError('name_taken', 'Another provider has this name. Choose a different one.');
  const allowInsecure = command.allow_insecure_endpoints;
  requireHttps('body.endpoint', request.endpoint, { allowInsecure });
  requireHttps('body.bid_webhook', request.bid_webhook ?? undefined, { allowInsecure });

  const wanted = withChanges(provider, request);
  const changed = changedFields(provider, wanted);
  // A repeated update has brought about what it asks for, though the version has moved on by it.
  if (changed.length === 0) return { writes: [], reply: provider };
  if (request.version !== undefined && request.version !== provider.version)
    throw new AppError(
      'conflict',
      `The provider has changed: it is at version ${provider.version}, not ${request.version}. Read it again.`,
    );
  const next: Provider = {
    ...wanted,
    terms: searchTerms(wanted),
    updated_at: at.toISOString(),
    version: provider.version + 1,
  };
  const delivering =
    next.bid_webhook === provider.bid_webhook
      ? match
      : withBidWebhook(match, next.bid_webhook, command.own_webhooks);
  return {
    writes: [
      set(ref(providers, provider_id), next),
      set(ref(matches, provider_id), withProvider(delivering, next, at)),
      ...(next.name === provider.name ? [] : renaming(provider, next, name)),
    ],
    events: [updated(next, changed)],
    reply: next,
  };
}

function withChanges(provider: Provider, request: UpdateProvider): Provider {
  const endpoint = request.endpoint ?? provider.endpoint;
  return {
    ...provider,
    name: request.name ?? provider.name,
    description: request.description ?? provider.description,
    endpoint,
    bid_webhook: request.bid_webhook === undefined ? provider.bid_webhook : request.bid_webhook,
    capabilities: request.capabilities ? [...new Set(request.capabilities)] : provider.capabilities,
    contact_email:
      request.contact_email === undefined ? provider.contact_email : request.contact_email,
    metadata: request.metadata ?? provider.metadata,
    pricing_tiers: request.pricing_tiers
      ? withPriorities(request.pricing_tiers)
      : provider.pricing_tiers,
    verifications:
      endpoint === provider.endpoint
        ? provider.verifications
        : { ...provider.verifications, endpoint: null },
  };
}

const updatable = [
  'name',
  'description',
  'endpoint',
  'bid_webhook',
  'capabilities',
  'contact_email',
  'metadata',
  'pricing_tiers',
] as const;

const changedFields = (before: Provider, after: Provider): string[] =>
  updatable.filter((field) => canonicalJson(before[field]) !== canonicalJson(after[field]));

function renaming(before: Provider, after: Provider, reserved: ProviderName | null): Write[] {
  const place = ref(providerNames, nameId(after.name));
  if (reserved)
    return [set(place, { ...reserved, name: after.name, version: reserved.version + 1 })];
  const { name, provider_id, updated_at } = after;
  return [
    create(place, { name, provider_id, created_at: updated_at, version: 1 }),
    remove(ref(providerNames, nameId(before.name))),
  ];
}

/** Says what changed, but nothing that only the owner may read. */
const updated = (provider: Provider, changed: readonly string[]): DomainEvent => ({
  topic: 'aex-provider-events',
  type: 'provider.updated',
  subject: ref(providers, provider.provider_id).path,
  version: provider.version,
  fields: {
    provider_id: provider.provider_id,
    name: provider.name,
    endpoint: provider.endpoint,
    capabilities: provider.capabilities,
    status: provider.status,
    changed_fields: changed,
    updated_at: provider.updated_at,
  },
});
