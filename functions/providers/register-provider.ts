import { z } from 'zod';

import { AppError } from '../../shared/errors.ts';
import { keyHash, newId, newKey } from '../../shared/ids.ts';
import { CpaStatus } from '../../shared/providers/cpa.ts';
import { register, registerRefs } from '../../shared/providers/register.ts';
import { ProviderStatus, RegisterProvider } from '../../shared/providers/schema.ts';
import { TrustTier } from '../../shared/providers/tier.ts';
import { endpoint } from '../../shared/runtime/endpoint.ts';
import { withheldNotice } from '../../shared/runtime/idempotency.ts';
import { takePermit } from '../../shared/runtime/rate-limit.ts';
import { knownMetrics, providerRegistry } from '../../shared/runtime/settings.ts';

/** How long an endpoint may take to show that it answers. */
const PROBE_MS = 3_000;

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
    const { caller, config, store, outbound, randomBytes } = context;
    // A probe of a host of the caller's choice: whatever key came along, it is limited.
    if (caller.kind !== 'operator') {
      const { per_host: perHost, window_s: windowS } = config.limits.registration;
      const { host } = new URL(body.endpoint);
      if (perHost !== undefined)
        await takePermit(context, `registration-host:${host}`, perHost, windowS);
    }
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
    const probe = await outbound.request({
      url: body.endpoint,
      method: 'GET',
      timeoutMs: PROBE_MS,
      // That it answers is enough; how long its page is says nothing.
      responseBytesMax: 0,
    });
    if (probe.kind === 'forbidden' || probe.kind === 'failed' || probe.status >= 500)
      throw new AppError(
        'endpoint_not_accessible',
        `Endpoint not accessible: ${described(probe)}. It must answer GET within ${PROBE_MS / 1_000} s with a status below 500.`,
        { details: [{ field: 'body.endpoint', reason: described(probe) }] },
      );
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

function described(
  probe: { kind: 'forbidden' | 'failed'; reason: string } | { kind: 'response'; status: number },
): string {
  if (probe.kind === 'response') return `it answered ${probe.status}`;
  if (probe.kind === 'forbidden') return `the URL ${probe.reason}`;
  return probe.reason === 'timeout' ? 'it did not answer in time' : 'no connection could be made';
}
