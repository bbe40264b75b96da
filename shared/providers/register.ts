import { AppError } from '../errors.ts';
import { newMatch } from '../matching/compose.ts';
import { matches } from '../matching/schema.ts';
import { ref } from '../store/collection.ts';
import { type Command, type Decision, type Docs, create } from '../store/decision.ts';
import type { KnownMetrics, ProviderRegistry } from './config.ts';
import { newCpaProfile, withPriorities } from './cpa-profile.ts';
import { nameId } from './name.ts';
import { apiKeys, apiSecrets } from '../api-keys/schema.ts';
import { type Provider, type RegisterProvider, providerNames, providers } from './schema.ts';
import { searchTerms } from './search-terms.ts';
import { requireHttps } from './url.ts';

export interface RegisterCommand extends Command {
  readonly request: RegisterProvider;
  /** The id of the new provider. */
  readonly provider_id: string;
  readonly key_id: string;
  /** `keyHash` of the new keys; the keys themselves never enter a rule. */
  readonly api_key_hash: string;
  readonly api_secret_hash: string;
  /** The provider whose key the request carried, if any. */
  readonly caller_id: string | null;
  readonly registry: ProviderRegistry;
  readonly known_metrics: KnownMetrics;
  readonly allow_insecure_endpoints: boolean;
}

export interface Registered {
  readonly provider_id: string;
  readonly status: Provider['status'];
  readonly trust_tier: Provider['trust_tier'];
  readonly cpa_enabled: boolean;
  readonly cpa_status: Provider['cpa_status'];
  readonly created_at: string;
  readonly warnings: readonly string[];
  /** `withheld` when the caller had registered before: its keys were shown then, once. */
  readonly keys: 'issued' | 'withheld';
}

/** `own` is the caller's document; without an authenticated caller, the new one's, which is absent. */
export const registerRefs = ({ request, provider_id, caller_id }: RegisterCommand) => ({
  name: ref(providerNames, nameId(request.name)),
  own: ref(providers, caller_id ?? provider_id),
});

/**
 * Registers a provider: reserves its name, creates it with its keys and its match document, and says
 * so. Nothing that it declares about its own trust is believed.
 *
 * @throws {AppError} `name_taken`, unless the caller is the authenticated owner of the name, who gets
 *   the same id again and no change; `invalid_request` for plain http or unknown metrics
 */
export function register(
  { name, own }: Docs<ReturnType<typeof registerRefs>>,
  command: RegisterCommand,
): Decision<Registered> {
  if (name) {
    if (own?.provider_id === name.provider_id)
      return { writes: [], reply: registered(own, [], 'withheld') };
    throw new AppError(
      'name_taken',
      'Another provider has this name. Choose a different one; if it is yours, send its API key along.',
    );
  }
  const allowInsecure = command.allow_insecure_endpoints;
  requireHttps('body.endpoint', command.request.endpoint, { allowInsecure });
  requireHttps('body.bid_webhook', command.request.bid_webhook, { allowInsecure });

  const { provider, warnings } = newProvider(command);
  const { provider_id, created_at } = provider;
  const { key_id } = command;
  return {
    writes: [
      create(ref(providerNames, nameId(provider.name)), {
        name: provider.name,
        provider_id,
        created_at,
        version: 1,
      }),
      create(ref(providers, provider_id), provider),
      create(ref(apiKeys, command.api_key_hash), {
        key_id,
        kind: 'provider',
        owner_id: provider_id,
        scopes: [],
        status: 'ACTIVE',
        created_at,
        expires_at: null,
        version: 1,
      }),
      create(ref(apiSecrets, command.api_secret_hash), {
        key_id,
        provider_id,
        status: 'ACTIVE',
        created_at,
        version: 1,
      }),
      create(ref(matches, provider_id), newMatch(provider)),
    ],
    events: [
      {
        topic: 'aex-provider-events',
        type: 'provider.registered',
        subject: ref(providers, provider_id).path,
        version: provider.version,
        fields: {
          provider_id,
          name: provider.name,
          cpa_enabled: provider.cpa_enabled,
          capabilities: provider.capabilities,
          status: provider.status,
          registered_at: created_at,
        },
      },
    ],
    reply: registered(provider, warnings, 'issued'),
  };
}

function newProvider(command: RegisterCommand): { provider: Provider; warnings: string[] } {
  const { request, registry, known_metrics } = command;
  const at = command.at.toISOString();
  const declared = request.cpa_preferences;
  const cpa =
    declared && registry.cpa.enabled ? newCpaProfile(declared, registry, known_metrics) : null;
  const ignored =
    declared && !cpa ? ['cpa_preferences were ignored: CPA is switched off here.'] : [];
  const capabilities = [...new Set(request.capabilities)];
  return {
    provider: {
      provider_id: command.provider_id,
      name: request.name,
      description: request.description,
      endpoint: request.endpoint,
      bid_webhook: request.bid_webhook ?? null,
      capabilities,
      terms: searchTerms({ ...request, capabilities }),
      contact_email: request.contact_email ?? null,
      metadata: request.metadata,
      status: 'PENDING_VERIFICATION',
      trust_score: registry.trust.initial_score,
      trust_tier: 'UNVERIFIED',
      verifications: { identity: null, endpoint: null, compliance: null },
      cpa_enabled: cpa !== null,
      cpa_status: cpa && 'PENDING_CERTIFICATION',
      cpa_profile: cpa && cpa.profile,
      pricing_tiers: withPriorities(request.pricing_tiers),
      created_at: at,
      updated_at: at,
      verified_at: null,
      version: 1,
    },
    warnings: cpa?.warnings ?? ignored,
  };
}

const registered = (
  { provider_id, status, trust_tier, cpa_enabled, cpa_status, created_at }: Provider,
  warnings: readonly string[],
  keys: Registered['keys'],
): Registered => ({
  provider_id,
  status,
  trust_tier,
  cpa_enabled,
  cpa_status,
  created_at,
  warnings,
  keys,
});
