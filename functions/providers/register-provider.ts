import { z } from 'zod';

import { keyHash, newId, newKey } from '../../shared/ids.ts';
import { CpaStatus } from '../../shared/providers/cpa.ts';
import { EndpointProbe } from '../../shared/providers/endpoint-probe.ts';
import { register, registerRefs } from '../../shared/providers/register.ts';
import { ProviderStatus, RegisterProvider } from '../../shared/providers/schema.ts';
import { TrustTier } from '../../shared/providers/tier.ts';
import { requireAccessible } from '../../shared/runtime/accessible.ts';
import { endpoint } from '../../shared/runtime/endpoint.ts';
import { withheldNotice } from '../../shared/runtime/idempotency.ts';
import { knownMetrics, providerRegistry } from '../../shared/runtime/settings.ts';

const Registration = z.object({
  provider_id: z.string(),
  api_key: z.string().optional(),
  api_secret: z.string().optional(),
  status: ProviderStatus,
  trust_tier: TrustTier,
  cpa_enabled: z.boolean(),
  cpa_status: CpaStatus.nullable(),
  created_at: z.string(),
  warnings: z.array(z.string()).optional(),
  withheld: z.array(z.string()).optional(),
  notice: z.string().optional(),
});

export default endpoint('register-provider', {
  summary: 'Register a provider',
  description:
    'Probes the endpoint, then creates the provider as PENDING_VERIFICATION. The keys are shown once. Its authenticated owner may repeat a registration and gets the same id, without keys.',
  body: RegisterProvider,
  reply: Registration,
  secrets: ['api_key', 'api_secret'],
  errors: ['endpoint_not_accessible', 'name_taken'],
  handle: async ({ body }, context) => {
    const { caller, config, store, randomBytes } = context;
    const apiKey = newKey('provider_key', randomBytes(32));
    const apiSecret = newKey('provider_secret', randomBytes(32));
    const command = context.command({
      request: body,
      provider_id: newId('prov', randomBytes(8)),
      key_id: newId('key', randomBytes(8)),
      api_key_hash: keyHash(apiKey),
      api_secret_hash: keyHash(apiSecret),
      caller_id: caller.kind === 'provider' ? caller.providerId : null,
      registry: providerRegistry(),
      known_metrics: knownMetrics(),
      allow_insecure_endpoints: config.allow_insecure_endpoints,
    });
    const endpointProbe = new EndpointProbe(command.provider_id, context);
    await requireAccessible(context, endpointProbe, body.endpoint);
    const { reply, replayed } = await store.apply(command, registerRefs(command), register);
    const { warnings, keys, ...registered } = reply;
    return {
      ...registered,
      ...(keys === 'issued' && !replayed
        ? { api_key: apiKey, api_secret: apiSecret }
        : withheldNotice(['api_key', 'api_secret'])),
      ...(warnings.length > 0 && { warnings: [...warnings] }),
    };
  },
});
