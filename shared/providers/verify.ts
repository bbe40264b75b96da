import { AppError, notFound } from '../errors.ts';
import { withProvider } from '../matching/compose.ts';
import { matches } from '../matching/schema.ts';
import { ref } from '../store/collection.ts';
import { type Command, type Decision, type Docs, set } from '../store/decision.ts';
import { type Provider, type VerifyProvider, providers } from './schema.ts';
import { statusChanged } from './status-changed.ts';

export interface VerifyCommand extends Command {
  readonly provider_id: string;
  readonly request: VerifyProvider;
}

export const verifyRefs = ({ provider_id }: Pick<VerifyCommand, 'provider_id'>) => ({
  provider: ref(providers, provider_id),
  match: ref(matches, provider_id),
});

/**
 * Records the result of a check. A passed identity or endpoint check activates a provider that waits
 * for it; it never lifts a suspension, and a failed check takes nothing away.
 *
 * @throws {AppError} `not_found`; `invalid_transition` for an archived provider
 */
export function verify(
  { provider, match }: Docs<ReturnType<typeof verifyRefs>>,
  command: VerifyCommand,
): Decision<Provider> {
  if (!provider || !match) throw notFound('provider');
  if (provider.status === 'INACTIVE')
    throw new AppError('invalid_transition', 'The provider is archived. Register it anew.');
  const { verification_type, verified, notes } = command.request;
  const at = command.at.toISOString();
  const proves = verified && verification_type !== 'compliance';
  const activates = proves && provider.status === 'PENDING_VERIFICATION';
  const { status_reason: reason, ...kept } = provider;
  const next: Provider = {
    ...kept,
    status: activates ? 'ACTIVE' : provider.status,
    // An operator's reason goes with the status that it explained.
    ...(!activates && reason !== undefined && { status_reason: reason }),
    verifications: {
      ...provider.verifications,
      [verification_type]: { verified, notes: notes ?? null, checked_at: at },
    },
    verified_at: provider.verified_at ?? (proves ? at : null),
    updated_at: at,
    version: provider.version + 1,
  };
  return {
    writes: [
      set(ref(providers, provider.provider_id), next),
      ...(next.status === provider.status
        ? []
        : [set(ref(matches, provider.provider_id), withProvider(match, next, command.at))]),
    ],
    events: next.status === provider.status ? [] : [statusChanged(provider, next)],
    reply: next,
  };
}
